"""Everything that headrace raises.

Exception
└── HeadraceError
    ├── InvalidGraphError (ValueError)     the graph's author, mostly when the graph is compiled
    ├── InvalidUpdateError                 the graph's author, when a node returns what cannot be applied
    │   └── InvalidInputError              the caller, when the input is nothing that the graph takes
    ├── EmptyChannelError                  a channel is read before anything was written to it
    ├── NodeTimeoutError (TimeoutError)    a node ran, or was silent, for longer than its policy allows
    ├── NodeCancelledError                 a node cancelled itself although nobody stopped the run
    ├── GraphRecursionError (RecursionError)   the caller, or a loop without an end
    ├── GraphDrained                       the caller asked the run to stop at the next super-step
    ├── EmptyInputError                    the caller gave no input and there is nothing to resume
    ├── InvalidConfigError (ValueError)    the caller's config lacks what the graph needs
    ├── MissingExtraError (ImportError)    whoever installed headrace: a library that the feature needs is not there
    ├── MissingProviderError (ImportError) the same, of the package with a provider's chat models
    ├── InvalidModelError (ValueError)     the caller's chat model: whose it is its name does not tell, or it is unfit
    ├── UnknownInterruptError              the caller answers an interrupt that is not pending
    └── TaskNotFound                       the caller names a task that is not there
BaseException
└── GraphBubbleUp                          control flow: user code must not swallow it by accident,
    ├── GraphInterrupt                     so it is no Exception; it never leaves the engine
    │   └── NodeInterrupt
    ├── ParentCommand
    └── NodeCancelled                      raised inside a sync node whose run was stopped
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from headrace.types import Command, Interrupt


class HeadraceError(Exception):
    """The root of headrace's own exceptions."""


def add_note(error: BaseException, note: str) -> None:
    """Say more about an error; it is shown with the traceback. The method of this name needs Python 3.11."""
    vars(error)["__notes__"] = [*getattr(error, "__notes__", ()), note]


class InvalidGraphError(HeadraceError, ValueError):
    """A graph that cannot be compiled; `mistakes` holds every one that was found."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        if len(self.mistakes) == 1:
            super().__init__(self.mistakes[0])
        else:
            lines = "\n".join(f"  - {mistake}" for mistake in self.mistakes)
            super().__init__(f"the graph has {len(self.mistakes)} mistakes:\n{lines}")

    @classmethod
    def one_memory(cls, node: str) -> InvalidGraphError:
        """Of two tasks in one super-step that call a subgraph which has a memory of its own."""
        return cls([
            f"several tasks of node {node!r} in one super-step call a subgraph compiled with checkpointer=True, which "
            "has one memory for all of them; compile it without a checkpointer, or call it in one task of a step"
        ])  # fmt: skip


class InvalidUpdateError(HeadraceError):
    """A node's return value, or the writes of a super-step together, cannot be applied; nothing of the step was."""


class InvalidInputError(InvalidUpdateError):
    """The input is no update of the graph's state; no node ran."""


class EmptyChannelError(HeadraceError):
    """A channel was read that holds nothing yet."""


class NodeTimeoutError(HeadraceError, TimeoutError):
    """A node ran (`kind="run"`) or was silent (`kind="idle"`) for longer than its policy allows. Times in seconds."""

    def __init__(
        self,
        node: str,
        elapsed: float,
        *,
        kind: Literal["idle", "run"],
        idle_timeout: float | None = None,
        run_timeout: float | None = None,
    ) -> None:
        self.node, self.elapsed, self.kind = node, elapsed, kind
        self.idle_timeout, self.run_timeout = idle_timeout, run_timeout
        if kind == "run":
            text = f"node {node!r} was stopped after {elapsed:.3g} s: its run timeout is {run_timeout:g} s"
        else:
            text = f"node {node!r} was silent for its idle timeout of {idle_timeout:g} s and was stopped"
        super().__init__(text)


class NodeCancelledError(HeadraceError):
    """The code of a node raised CancelledError although nobody had stopped the run."""

    def __init__(self, node: str, message: str | None = None) -> None:
        self.node = node
        super().__init__(message or f"node {node!r} was cancelled from inside, not by the run it belongs to")


class GraphRecursionError(HeadraceError, RecursionError):
    """The run did not end within its recursion limit, counted in super-steps."""

    @classmethod
    def of(cls, graph: str, limit: int) -> GraphRecursionError:
        """Of a run of `graph` that came to its limit."""
        return cls(
            f"{graph} did not end within its recursion limit of {limit} super-steps; if it is meant "
            "to run longer, raise `recursion_limit` in the config, else look for a loop without a way out"
        )


class GraphDrained(HeadraceError):
    """The run stopped between two super-steps because `RunControl.request_drain` asked for it; it can be resumed."""

    def __init__(self, reason: str = "shutdown") -> None:
        self.reason = reason
        super().__init__(f"the run was drained between two super-steps: {reason}")


class EmptyInputError(HeadraceError):
    """A run was started with no input on a thread that has nothing to go on with."""

    @classmethod
    def on(cls, graph: str, given: str, thread_id: str | None, *, keeps: bool) -> EmptyInputError:
        """Of a call of `graph` on a thread, which it `keeps` if it has a checkpointer."""
        where = f" on thread {thread_id!r}" if keeps else ""
        more = "" if keeps else " (a graph keeps its runs when it is compiled with a checkpointer)"
        return cls(f"{graph} got {given} and there is no run to go on with{where}; pass the input of a new run{more}")


class MissingExtraError(HeadraceError, ImportError):
    """A feature was used whose library is not installed; `extra` brings it."""

    def __init__(self, feature: str, library: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{feature} need {library}, which is not installed: pip install 'headrace[{extra}]'")


class MissingProviderError(HeadraceError, ImportError):
    """The langchain package of a provider of chat models is not installed, or too old to have `wanted`, its class."""

    def __init__(self, provider: str, package: str, *, wanted: str | None = None) -> None:
        self.provider, self.package = provider, package
        named = f"'{package}'" if "[" in package else package
        if wanted is None:
            text = f"need {package}, which is not installed: pip install {named}"
        else:
            text = f"need a newer {package}, one that has {wanted}: pip install -U {named}"
        super().__init__(f"chat models of {provider!r} {text}")


class InvalidModelError(HeadraceError, ValueError):
    """A chat model that cannot be used: its name does not say whose it is, or it cannot do what an agent needs."""

    @classmethod
    def unnamed(cls, model: str, known: Sequence[str], meant: Sequence[str] = ()) -> InvalidModelError:
        """Of a name with no provider in it, and none to be guessed. `meant` are the names that may have been meant."""
        text = f"the name {model!r} does not tell which provider offers the model; "
        if meant:
            return cls(f"{text}did you mean {_either(meant)}?")
        return cls(f"{text}write 'provider:{model}' with one of these providers: {', '.join(known)}")

    @classmethod
    def unknown(
        cls, provider: str, known: Sequence[str], meant: Sequence[str] = (), model: str | None = None
    ) -> InvalidModelError:
        """Of a provider that nobody has heard of, which may have stood in a model's name."""
        text = f"there is no provider {provider!r} of chat models"
        if model is not None:
            text = f"the name {model!r} begins with {provider!r}, which is no provider of chat models"
        return cls(f"{text}; did you mean {_either(meant)}?" if meant else f"{text}; there are: {', '.join(known)}")


def _either(texts: Sequence[str]) -> str:
    return " or ".join(map(repr, texts))


class InvalidConfigError(HeadraceError, ValueError):
    """The config lacks a key, or holds one that the graph cannot use."""


class UnknownInterruptError(HeadraceError, RuntimeError):
    """A `Command(resume=...)` does not say, or says wrongly, which pending interrupt it answers.

    `interrupt_ids` are the ids that were given, `pending_ids` those that wait for an answer.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: Literal["not_pending", "empty_map", "ambiguous"],
        interrupt_ids: Sequence[str] = (),
        pending_ids: Sequence[str] = (),
    ) -> None:
        self.reason = reason
        self.interrupt_ids, self.pending_ids = tuple(interrupt_ids), tuple(pending_ids)
        super().__init__(message)

    @classmethod
    def not_pending(cls, thread_id: str | None, ids: Sequence[str], pending: Sequence[str]) -> UnknownInterruptError:
        """Of an answer to a question that nobody asked."""
        return cls(
            f"no interrupt {', '.join(map(repr, ids))} waits for an answer on thread {thread_id!r}; "
            f"pending are: {', '.join(map(repr, pending)) or 'none'}",
            reason="not_pending",
            interrupt_ids=ids,
            pending_ids=pending,
        )

    @classmethod
    def ambiguous(cls, thread_id: str | None, pending: Sequence[str]) -> UnknownInterruptError:
        """Of an answer that names no question where there are several."""
        return cls(
            f"{len(pending)} interrupts wait for an answer on thread {thread_id!r}, so say which one is meant: "
            f"Command(resume={{id: answer}}) with ids out of {', '.join(map(repr, pending))}",
            reason="ambiguous",
            pending_ids=pending,
        )


class TaskNotFound(HeadraceError):
    """A task id that is not among the tasks of the checkpoint."""


class GraphBubbleUp(BaseException):
    """Control flow on its way up to the engine."""


class GraphInterrupt(GraphBubbleUp):
    """A node asked its caller something; the run pauses until it is answered."""

    def __init__(self, interrupts: Sequence[Interrupt] = ()) -> None:
        self.interrupts = tuple(interrupts)
        super().__init__(self.interrupts)


class NodeInterrupt(GraphInterrupt):
    """Raised by a node itself; `headrace.types.interrupt` is the better way, since it returns the answer."""

    def __init__(self, value: Any, id: str | None = None) -> None:
        from headrace.types import Interrupt  # noqa: PLC0415 - types needs this module for `interrupt`

        super().__init__([Interrupt(value, id) if id else Interrupt(value)])


class ParentCommand(GraphBubbleUp):
    """A node of a subgraph returned a command for the graph above."""

    def __init__(self, command: Command[Any]) -> None:
        self.command = command
        super().__init__(command)


class NodeCancelled(GraphBubbleUp):
    """Raised in a sync node whose run was stopped, at its next call of a writer, model, `interrupt` or config."""


def ungrouped(error: BaseException) -> BaseException:
    """What an exception group means that holds control flow, as a task group around subgraphs raises it.

    Its other errors if there are any; else all questions as one GraphInterrupt, or the command or stop itself.
    """
    if not (hasattr(error, "exceptions") and hasattr(error, "split")):
        return error
    bubbles, others = error.split(GraphBubbleUp)
    if bubbles is None or others is not None:
        return others or error
    leaves = [*_leaves(bubbles)]
    final = next((leaf for leaf in leaves if not isinstance(leaf, GraphInterrupt)), None)
    return final or GraphInterrupt([question for leaf in leaves for question in leaf.interrupts])


def _leaves(group: Any) -> Iterator[Any]:
    """The errors of a group, of groups in it as well."""
    for each in group.exceptions:
        yield from _leaves(each) if hasattr(each, "exceptions") else (each,)


@dataclass(frozen=True)
class NodeError:
    """What an error handler is told: the node that failed, and why."""

    node: str
    error: BaseException
