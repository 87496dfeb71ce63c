"""The intended differences between the two libraries, each with its reason.

A program names the differences that it meets. `apply` turns what langgraph does into what headrace
is to do, so a difference that is not there any more fails the comparison just as a new one does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Apply = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class Difference:
    reason: str
    apply: Apply
    both: bool = False
    """Whether headrace's lines go through it as well: for what langgraph does now this way, now that."""


def _replaced(old: str, new: str) -> Apply:
    return lambda lines: [line.replace(old, new) for line in lines]


def _substituted(pattern: str, new: str) -> Apply:
    return lambda lines: [re.sub(pattern, new, line) for line in lines]


def _without(start: str) -> Apply:
    return lambda lines: [line for line in lines if not line.startswith(start)]


def _without_results(lines: list[str]) -> list[str]:
    return [line for line in lines if " updates " not in line and "'result': " not in line]


def _without_questions(lines: list[str]) -> list[str]:
    """What the first turn says of its question and of the state that it leaves."""
    turn = lines[: lines.index("== ended")]
    kept = [line for line in turn if not line.startswith(("() updates", "() values"))] + lines[len(turn) :]
    question = re.compile(r", '__interrupt__': \[.*?\]|(?<=interrupts=\()Interrupt\(.*\),(?=\)\)$)")
    return _renumbered([question.sub("", line) for line in kept])


def _renumbered(lines: list[str]) -> list[str]:
    """Ids are numbered as they appear, so where lines were left out they get other numbers."""
    order: dict[str, int] = {}
    return [re.sub(r"#\d+", lambda id: f"#{order.setdefault(id[0], len(order) + 1)}", line) for line in lines]


def _without_starts_of_handlers(lines: list[str]) -> list[str]:
    start = re.compile(r"\(\) (tasks|debug) .*'name': '__error_handler__\w+', 'input'")
    return _renumbered([line for line in lines if not start.match(line)])


def _refused(error: str) -> Apply:
    """Nothing of the run is there but the error."""
    return lambda lines: [*(line for line in lines if line.startswith("== turn")), f"== raised {error}"]


def _failed_in_its_first_node(error: str) -> Apply:
    """The first node's task ends with an error and without an update, and nothing comes after it."""

    def apply(lines: list[str]) -> list[str]:
        kept: list[str] = []
        for line in lines:
            mode = line.partition(" ")[2].partition(" ")[0] if line.startswith("(") else ""
            if line.startswith("==") or mode in ("tasks", "debug", "custom"):
                kept.append(re.sub(r"'error': .*, 'result': .*, 'interrupts'", _RESULT.format(error), line))
            elif mode == "values" and not any(" values " in before for before in kept):
                kept.append(line)
        return [*kept[:-1], f"== raised {error}"]

    return apply


_RESULT = "'error': {}, 'result': {{}}, 'interrupts'"


def _ended_within_its_limit(lines: list[str]) -> list[str]:
    """The first turn ends as the second does, whose limit is one higher; of a call, its result as well."""
    if lines[0].startswith("== turn"):
        return [line.replace("raised GraphRecursionError", "ended") for line in lines]
    return [*lines[1:], *lines[1:]]


def _without_a_parent(lines: list[str]) -> list[str]:
    """The task that sent the command has failed."""
    *told, _ = lines
    started = [line for line in told if line.startswith(("() tasks", "() debug"))]
    result = _RESULT.format("InvalidUpdateError") + ": []"
    failed = [re.sub(r"'input': .*'triggers': \(.*?\)", result, line) for line in started]
    return [*told, *(line.replace("'task',", "'task_result',") for line in failed), "== raised InvalidUpdateError"]


def _input_already_applied(lines: list[str]) -> list[str]:
    """The stream was left at the input's checkpoint: the one after it is stored as well."""
    left = lines.index("== turn 1") if "== turn 1" in lines else -1
    if left < 0 or not lines[left + 1].startswith(("() checkpoints", "() debug")):
        return lines
    *head, stopped, _ = lines[: lines.index("== ended", left) + 3]
    older = lines[len(head) + 2 :]
    own, _, task = re.findall(r"#(\d+)", stopped)
    applied = stopped.replace(f"#{own}", f"#{int(own) + 2}", 1).replace(f"#{task}", f"#{int(task) + 2}")
    applied = re.sub(r"(parent_config=.*?)#\d+", rf"\g<1>#{own}", applied)
    for old, new in (("'x': 0", "'x': 1"), ("__start__", "a"), ("'input', 'step': 3", "'loop', 'step': 4")):
        applied = applied.replace(old, new)
    return [*head, applied, applied, stopped.replace("result=None", "result={'x': 1}"), *older]


def _parent_as_stored(lines: list[str]) -> list[str]:
    """What the checkpoints of the last turn tell of their parent is what its states say of it."""
    if "== turn 2" not in lines:
        return lines
    last = lines.index("== turn 2")
    stored = re.search(r"parent_config=.*?(#\d+)", lines[lines.index("== ended", last) + 1])
    assert stored is not None
    told = re.compile(r"('parent_config': \{'configurable': \{'checkpoint_id': ')#\d+")
    return [*lines[:last], *(told.sub(rf"\g<1>{stored[1]}", line) for line in lines[last:])]


def _streamed_for_nobody(lines: list[str]) -> list[str]:
    """Where the subgraph's events were not asked for, its model's message has the id of one that came whole."""
    if any(line.startswith("('sub:") for line in lines):
        return lines
    return [re.sub(r"(lc_run--#\d+)'", r"\1-0'", line) for line in lines]


DIFFERENCES = {
    "unknown mode": Difference(
        "A mode that does not exist gives an empty stream there, so a typing mistake looks like a silent graph; "
        "here it is a ValueError that names the modes, before anything runs.",
        _refused("ValueError"),
    ),
    "writer outside a run": Difference(
        "get_stream_writer() raises RuntimeError there when no run is under way; here it gives a writer that does "
        "nothing, so that a tool can be called and tested alone.",
        _replaced("RuntimeError", "nothing"),
    ),
    "unknown key returned": Difference(
        "A node's return value with none but unknown keys is dropped without a word there; here it is an "
        "InvalidUpdateError that names the node, the key and the keys there are.",
        _failed_in_its_first_node("InvalidUpdateError"),
    ),
    "a generator for a node": Difference(
        "Of a node that is a generator the last value that it yields is its update there, the others are lost; here it "
        "is an InvalidUpdateError that says how to tell what comes on the way.",
        _failed_in_its_first_node("InvalidUpdateError"),
    ),
    "unknown key in the input": Difference(
        "An input with none but unknown keys runs the graph on an empty state there; here it is an "
        "InvalidInputError that names the key and the keys there are.",
        _refused("InvalidInputError"),
    ),
    "unknown target": Difference(
        "A branch, Send or goto that leads to no node is written to the log there and the run ends as if it were "
        "done; here it is an InvalidUpdateError that names the node and the nodes there are.",
        _failed_in_its_first_node("InvalidUpdateError"),
    ),
    "failing branch": Difference(
        "Edges are chosen as a part of the node's attempt, so when choosing fails the node has failed and wrote "
        "nothing; there its update is told all the same.",
        _failed_in_its_first_node("ValueError(no way)"),
    ),
    "thread id missing": Difference(
        "A ValueError there; here an InvalidConfigError, which is one.",
        _replaced("ValueError", "InvalidConfigError"),
    ),
    "merge that fails": Difference(
        "When a reducer refuses a value, whether the node's update was told before the error depends on the modes "
        "asked for there; here it always is, as it is when two nodes write one plain key.",
        _without_results,
        both=True,
    ),
    "question of the way in": Difference(
        "An interrupt in a routing function of START pauses the run there without a word in any stream; here the "
        "question is told in `updates` and `values`, like that of a node.",
        _without_questions,
        both=True,
    ),
    "handled error in the history": Difference(
        "A task whose error was handled has that error and no result in the history there; here what its handler wrote "
        "stands beside the error, what it asks as well, and neither of them runs again with a run that is resumed.",
        _substituted(r"(error=.ValueError.*?result=)None", r"\1{'log': ['handled']}"),
    ),
    "start of a handler": Difference(
        "In `tasks` and `debug` every task that starts ends, and every task that ends has started. There an error "
        "handler has no start, but when its run is resumed, where the failed node starts once more and never ends.",
        _without_starts_of_handlers,
        both=True,
    ),
    "answer without an id": Difference(
        "A bare answer to several questions is a RuntimeError there; here an UnknownInterruptError, which is one.",
        _replaced("raised RuntimeError", "raised UnknownInterruptError"),
    ),
    "nostream node": Difference(
        "The tag nostream silences the tokens of models there, but not the messages that the tagged node returns; "
        "here it silences both.",
        _without("() messages"),
    ),
    "limit met exactly": Difference(
        "A run whose last step is the last that its recursion limit allows is a GraphRecursionError there, although "
        "nothing is due any more; here a run that ends within its limit is no error.",
        _ended_within_its_limit,
    ),
    "place of a memory of its own": Difference(
        "A subgraph compiled with checkpointer=True keeps its memory under its node's name. The task's `state` names "
        "another place there, which holds nothing; here it names that place, so that get_state finds the memory.",
        _substituted(r"(state'?[:=] ?\{'configurable': \{'checkpoint_ns': 'node_2):#\d+'", r"\1'"),
    ),
    "no parent": Difference(
        "A command to a parent that there is not leaves the graph as the exception that carries it there; here it is "
        "an InvalidUpdateError that names the node and the remedy, and the node's task has failed with it.",
        _without_a_parent,
    ),
    "user's keys in a checkpoint's config": Difference(
        "The config of a checkpoint repeats whatever the caller had under `configurable` there; here it holds what "
        "names the checkpoint and nothing else (the caller's own is in its metadata).",
        _replaced("'checkpoint_ns': '', 'other': 'o', ", "'checkpoint_ns': '', "),
    ),
    "left at the input": Difference(
        "State first, then event: the input is applied, and the checkpoint with it stored, before the first event is "
        "told; there whoever leaves at the input's own checkpoint leaves a thread whose input is not in its values.",
        _input_already_applied,
    ),
    "parent with durability exit": Difference(
        "With durability 'exit' the checkpoints that are told name a parent from before the thread's last run there; "
        "here they name the last stored checkpoint, which is the parent under which the run's one is stored by both.",
        _parent_as_stored,
    ),
    "tokens for nobody": Difference(
        "With `messages` asked for but not subgraphs=True, models in subgraphs are made to stream there though their "
        "tokens are withheld; here they are not, and langchain-core's id of a whole message ends in -0.",
        _streamed_for_nobody,
    ),
    "router sees unknown keys": Difference(
        "A branch behind a node sees all that the node returned there, also keys that the state does not have and "
        "that are dropped from it; here it sees the state as every other reader will.",
        _replaced("['bar', 'foo', 'log']", "['foo', 'log']"),
    ),
}
"""By the name that programs give."""


def resumed_limit(limit: int, *, from_the_past: bool = False) -> Callable[[Any], dict[str, int]]:
    """The config, for a session, of a run that goes on and has this recursion limit.

    A run that goes on after a pause may take two super-steps more than its limit in the reference, and one that
    starts from an old checkpoint one more; here the limit is the limit. So the reference is given a lower one.
    """
    more = 1 if from_the_past else 2
    return lambda session: {"recursion_limit": limit - more * (session.kit.root.name == "langgraph")}


WARNINGS = {
    "it was dropped": (
        "A key that the state does not have, beside one that it has, is dropped by both; here with a warning."
    ),
    "subgraphs=True": (
        "Tokens of a subgraph are withheld by both when the stream was not asked for subgraphs; here the first time "
        "with a warning that names the remedy."
    ),
}
"""Warnings that langgraph does not give, by a part of their text."""


def _model_events(lines: list[str]) -> list[str]:
    """What models say, whoever called them: name and data, without the runs above them."""
    told = [line for line in lines if line.startswith("on_chat_model_")]
    told[-1] = told[-1].replace("AIMessageChunk(", "AIMessage(").replace("type='AIMessageChunk'", "type='ai'")
    return [re.sub(r" \[.*?'data': ", " ", re.sub(r"#\d+", "#", line)) for line in told]


def _without_ids_of_inputs(lines: list[str]) -> list[str]:
    return [
        re.sub(r"(HumanMessage\(content='about ice cream', type='human'), id='#\d+'", r"\1", line) for line in lines
    ]


EVENTS_OF_PROGRAMS = {
    "runnable_as_a_node": Difference(
        "A runnable that is a node is called there in parts and streamed, so that being watched changes how it runs; "
        "here it is invoked like any node and has a callback run of its own. The events of its model are the same.",
        _model_events,
        both=True,
    ),
    "prompt_then_graph": Difference(
        "Messages of the input are given their ids in place there, which shows in the input of the end event; here "
        "the caller's messages are left as they are.",
        _without_ids_of_inputs,
        both=True,
    ),
}
"""What is compared of the events of single programs."""
