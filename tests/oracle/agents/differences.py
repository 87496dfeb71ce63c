"""The intended differences between langchain's agents and ours, each with its reason, as in `..differences`."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..differences import Difference, _renumbered
from ..render import TEXT

Apply = Callable[[list[str]], list[str]]


def _substituted(pattern: str, new: str) -> Apply:
    return lambda lines: [re.sub(pattern, new, line) for line in lines]


def _without(pattern: str) -> Apply:
    """Ids are numbered as they appear, so they are no help where lines are left out."""
    return lambda lines: [re.sub(r"#\d+", "#", line) for line in lines if not re.match(pattern, line)]


def _until(pattern: str) -> Apply:
    """What comes before, since what comes after has no counterpart."""

    def apply(lines: list[str]) -> list[str]:
        at = next((at for at, line in enumerate(lines) if re.search(pattern, line)), len(lines))
        return lines[:at]

    return apply


def _without_label(lines: list[str]) -> list[str]:
    label = "'ls_integration': 'langchain_create_agent'"
    return [
        line.replace(label, "'ls_integration': 'langgraph'")
        if ") messages (" in line
        else line.replace(f", 'metadata': {{{label}}}", "").replace(f"{label}, ", "").replace(f", {label}", "")
        for line in (line.replace("{'ls_integration': 'langgraph', ", f"{{{label}, ") for line in lines)
    ]


def _refused_before_the_tools(lines: list[str]) -> list[str]:
    """Of a call and its refusal: which node refuses, in which step, and how the call is kept."""
    tools = re.compile(r"\(\) (tools |updates \{'tools'|messages \(ToolMessage)|.*'name': 'tools'")
    kept = re.compile(r"(AIMessage\(type='ai', id='[^']*', )(?:invalid_)?tool_calls=\[[^]]*\]")
    answer = re.compile(rf"(?<=<call>\)), ToolMessage\(content={TEXT}, [^()]*\)(?=\]\}}(\}}|, 'interrupts'))")
    found = []
    for line in lines:
        line = kept.sub(r"\1<call>", re.sub(r"(step': )\d+", r"\1<step>", line))
        line = line if line.startswith("() values") else answer.sub("", line)
        if not tools.match(line) and not (line.startswith("() values") and line.endswith("<call>)]}")):
            found.append(line)
    if not any(line.startswith("() messages") for line in lines):
        # Not streamed, so nothing was guessed: the call is known to be broken there too, and the run ends with it.
        found = [*found[:2], lines[-1]]
    return _renumbered(found)


def _went_on(error: str, pattern: str) -> Apply:
    """There the run ends with this error, and here it goes on to its end: what comes from `pattern` on."""

    def apply(lines: list[str]) -> list[str]:
        end = "== ended" if lines[-1] in (f"== raised {error}", "== ended") else lines[-1]
        return [*_until(pattern)(lines), end]

    return apply


LABEL = "label for a tracing service"

STORED = "id of an answer in the history"


def _without_ids_of_stored_answers(lines: list[str]) -> list[str]:
    stored = re.compile(r"(ToolMessage\([^()]*), id='#\d+'")
    lines = [stored.sub(r"\1", line) if line.startswith("state") else line for line in lines]
    order: dict[str, int] = {}
    return [re.sub(r"#\d+", lambda id: f"#{order.setdefault(id[0], len(order) + 1)}", line) for line in lines]


DIFFERENCES = {
    STORED: Difference(
        "The history shows a tool's answer, among the results of its task, now with its id and now without one there; "
        "here always with the id that it has in the state.",
        _without_ids_of_stored_answers,
        both=True,
    ),
    "models stream for mode tools": Difference(
        "Asking for mode `tools` makes models stream there, which shows in the ids of their messages; here it does not "
        "change how models are called.",
        _substituted(r"(lc_run--#\d+)-0", r"\1"),
        both=True,
    ),
    LABEL: Difference(
        "An agent's runs carry the metadata `ls_integration: langchain_create_agent` there, for one tracing service; "
        "here an agent is a graph like any other.",
        _without_label,
    ),
    "failing tool": Difference(
        "The error of a tool ends the run there, unless a middleware catches it, and leaves a call without an answer "
        "in the history; here the model is told of it and may go on. `ToolNode(tools, handle_tool_errors=False)` as "
        "the agent's tools gives their way.",
        lambda lines: _until(r"'error': ValueError|status='error'|== raised")(_without(r"\(\) tools")(lines)),
        both=True,
    ),
    "place of a tool's answer": Difference(
        "Whole messages of an agent inside a graph have a `checkpoint_ns` in their metadata there, those of any other "
        "graph have none; here it is only beside tokens.",
        _substituted(r"(messages \(ToolMessage\(.*\), \{)'checkpoint_ns': '[^']*', ", r"\1"),
    ),
    "refused direct call": Difference(
        "A call of a `return_direct` tool whose arguments do not fit ends the run there, with the error as the answer; "
        "here the model may correct it.",
        _until("status='error'"),
        both=True,
    ),
    "half a call": Difference(
        "Arguments that end in the middle are completed by guessing there, and the tool is called with them; here such "
        "a call is not made, and the model is told so.",
        _refused_before_the_tools,
        both=True,
    ),
    "status of a refused object": Difference(
        "The message that tells the model what is wrong with its object has the status `success` there; here it has "
        "`error`, as that of a refused call of any other tool.",
        _substituted(r"status='(success|error)'", "status=..."),
        both=True,
    ),
    "refused object beside a call": Difference(
        "A turn with a refused object and a call of a tool ends the run after the tool there, without an object; here "
        "the model is asked again.",
        _until(r"'c3'|^== [er]|^\(\) (tasks|debug) .*ToolMessage\(.*ToolMessage\("),
        both=True,
    ),
    "words in place of an object": Difference(
        "A model that answers with words where it should call the tool for the object is called again without end "
        "there, if the agent has no tools; here, and there with tools, the run ends without an object.",
        _until(r"^\(\) values .*AIMessage|^== "),
        both=True,
    ),
    "call without tools": Difference(
        "A model's call of a tool in an agent that has none ends the run without an answer to it there, which "
        "providers refuse in the next turn; here the call is answered: there is no such tool.",
        _until(r"AIMessage|^== "),
        both=True,
    ),
    "order of keys": Difference(
        "A key that the state has only for some steps, such as `jump_to`, stands at its place in the schema there, and "
        "last here.",
        _substituted(r"(, 'jump_to': '\w+')(, 'log': \[.*?\])", r"\2\1"),
    ),
    "jump to the tools": Difference(
        "A hook that jumps to the tools gives them the whole state, in one task for all calls, there; here they are as "
        "after any other turn: a task for each call.",
        _until(r"'name': 'tools'|\(\) (updates|messages|tools) .*ToolMessage|\(\) tools|^\(\) updates \{'tools'"),
        both=True,
    ),
    "id of an answer that was changed": Difference(
        "What mode `tools` tells of a call that a wrapper answers anew has no id there; here a message has its id from "
        "the beginning, the one that it has in the state if it gets there.",
        lambda lines: [re.sub(r"(tool-finished.*), id='#\d+'", r"\1", re.sub(r"#\d+", "#0", line)) for line in lines],
        both=True,
    ),
    "input of a tool's task": Difference(
        "Each task of a tool has the whole state in its input in `create_react_agent` there; here, and in both "
        "`create_agent`s, it has its call.",
        _substituted(
            r"'input': \{'__type': 'tool_call_with_context', 'tool_call': (\{.*?'type': 'tool_call'\}), 'state': .*\}, "
            r"'triggers': \('__pregel_push',\)",
            r"'input': [\1], 'triggers': ('__pregel_push',)",
        ),
    ),
    "messages for the model alone": Difference(
        "The input of node `agent` shows the messages of `llm_input_messages` under `messages` as well there; here the "
        "history.",
        _substituted(r"'messages': (?!.*'messages').*(?='llm_input_messages')", ""),
        both=True,
    ),
    "hook after the model in version 1": Difference(
        "A `post_model_hook` together with `version='v1'` is a KeyError there; here it works.",
        _until(r"'error': |post_model_hook|^== [er]"),
        both=True,
    ),
    "one direct answer of several": Difference(
        "In `create_react_agent` one `return_direct` tool among others ends the run there; here, as in both "
        "`create_agent`s, only if all tools of a turn are such.",
        _until(r"^\(\) (tasks|debug) .*'triggers': .*ToolMessage\(.*ToolMessage\(|#[^:]*'langgraph_step': 3|^== "),
        both=True,
    ),
    "words when steps run out": Difference(
        "What the agent says when it cannot end within its recursion limit: each library has its own words.",
        _substituted(rf"(?<=AIMessage\(content=){TEXT}", "<words>"),
        both=True,
    ),
    "name of an older agent": Difference(
        "A named `create_react_agent` has no `lc_agent_name` in its metadata there; here it has, like `create_agent`.",
        _substituted(r", 'metadata': \{'lc_agent_name': 'adder'\}|'lc_agent_name': 'adder', ", ""),
        both=True,
    ),
    "unanswered call": Difference(
        "A history with a tool call that nobody answered is an error there, or goes to the model as it is, and the "
        "provider refuses it; here the agent mends it first.",
        _went_on("ValueError", r"'error': |messages \(|'result': |^\(\) updates|^== [er]"),
        both=True,
    ),
    "unannounced jump": Difference(
        "A jump that the hook did not announce is passed over without a word there; here it is an InvalidUpdateError "
        "that says how to announce it.",
        _until(r"'error': |jump_to|\(\) messages|^== [er]"),
        both=True,
    ),
    "sync wrapper under asyncio": Difference(
        "A wrapper with a sync form only is a NotImplementedError under asyncio there; here the node runs in a thread, "
        "as any sync node does. An async wrapper of tools works in a sync run as well.",
        _went_on(
            "NotImplementedError",
            r"'error': |\(\) (tools|messages \(.*content='hello'|updates .*'hello'|updates \{'tools')|^== [er]",
        ),
        both=True,
    ),
    "async wrapper in a sync run": Difference(
        "A wrapper of model calls with an async form only is a NotImplementedError in a sync run there; here a "
        "TypeError, as for a node.",
        _substituted("NotImplementedError", "TypeError"),
    ),
    "silent model": Difference(
        "A model with the tag nostream streams no tokens there, but its message comes whole in `messages`; here "
        "it does not come at all.",
        _without(r"\(\) messages \(AIMessage\("),
        both=True,
    ),
}
"""By the name that programs give."""
