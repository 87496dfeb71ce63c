"""One `headrace run`, from the loaded target to the end of its events: run, and while it waits for answers, resume."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol

from headrace import ids
from headrace.cli.failure import Failure
from headrace.cli.input import interpret, takes
from headrace.cli.target import Target, opened
from headrace.errors import EmptyInputError, HeadraceError
from headrace.stream.events import StreamEvent
from headrace.types import Command, Interrupt, StateSnapshot


@dataclass(frozen=True)
class Request:
    """What the command line asks for, parsed and checked as far as that goes without the graph."""

    input: str | None
    """The text of INPUT; None goes on with the thread."""
    modes: tuple[str, ...]
    subgraphs: bool
    config: dict[str, Any]
    context: dict[str, Any] | None


@dataclass(frozen=True)
class Question:
    """An interrupt that waits for an answer, and the node that asks."""

    node: str
    interrupt: Interrupt


@dataclass(frozen=True)
class Pause:
    """Where a run stopped before its end. No questions: `interrupt_before` or `interrupt_after` stopped it."""

    questions: tuple[Question, ...]
    next: tuple[str, ...]
    """The nodes that are due."""
    refused: str = ""
    """Why the graph did not take the last answer, when it is asked for again."""


class View(Protocol):
    """Where the events go."""

    @property
    def extra_modes(self) -> Sequence[str]:
        """Modes that the view itself needs beside those asked for."""

    def show(self, event: StreamEvent) -> None: ...

    async def resume(self, pause: Pause) -> Any:
        """The input that goes on from `pause`; Failure where nobody can answer. Cancelling leaves the run paused."""


async def session(target: Target, request: Request, view: View) -> None:
    """Run the target to its end. Cancelling, or an error of the view, stops the graph before this returns."""
    config = _with_thread(request.config)
    async with opened(target, config) as graph:
        value: Any = None if request.input is None else interpret(request.input, graph.get_input_jsonschema)
        while True:
            refusal = await _leg(graph, value, config, request, view)
            pause = await _pause(graph, config)
            if refusal is not None:
                if pause is None or not pause.questions:
                    raise refusal
                pause = replace(pause, refused=str(refusal))
            if pause is None:
                return
            value = await view.resume(pause)


async def _leg(graph: Any, value: Any, config: dict[str, Any], request: Request, view: View) -> HeadraceError | None:
    """From one input to the next pause or the end; the error of a graph that does not take its answer."""
    modes = list(dict.fromkeys([*request.modes, *view.extra_modes]))
    events = graph.aevents(value, config, context=request.context, stream_mode=modes, subgraphs=request.subgraphs)
    try:
        async with aclosing(events):
            async for event in events:
                view.show(event)
    except EmptyInputError:
        thread = (request.config.get("configurable") or {}).get("thread_id")
        where = "" if thread is None else f", and thread {thread!r} holds no run to go on with"
        raise Failure(f"there is no INPUT{where}. {takes(graph.get_input_jsonschema())}") from None
    except HeadraceError as error:
        if isinstance(value, Command) and _is_refusal(error):
            return error
        raise
    return None


def _is_refusal(error: HeadraceError) -> bool:
    from headrace.prebuilt.tool_errors import InvalidAnswerError  # noqa: PLC0415 - needs pydantic, for errors alone

    return isinstance(error, InvalidAnswerError)


async def _pause(graph: Any, config: dict[str, Any]) -> Pause | None:
    if graph.checkpointer is None or isinstance(graph.checkpointer, bool):
        return None  # without a saver nothing can wait
    state: StateSnapshot = await graph.aget_state(config)
    questions = tuple(Question(task.name, found) for task in state.tasks for found in task.interrupts)
    return Pause(questions, tuple(state.next)) if questions or state.next else None


def _with_thread(config: dict[str, Any]) -> dict[str, Any]:
    """The config with a thread of its own, unless it names one."""
    configurable = config.get("configurable") or {}
    return {**config, "configurable": {"thread_id": ids.unique(), **configurable}}
