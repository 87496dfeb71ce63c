"""The live view: steps, tokens as they come, custom data, and a question's answer from the person there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from headrace.cli.calls import Calls
from headrace.cli.failure import PAUSED, Failure
from headrace.cli.input import parse_answer
from headrace.cli.prompt import Prompt
from headrace.cli.session import Pause, Question
from headrace.cli.text import as_json, as_text, is_message, said, speaker, visible, words
from headrace.cli.tokens import Tokens
from headrace.stream.events import StreamEvent
from headrace.types import Command

ASK = "__interrupt__"


class Terminal:
    """Prints events as they come, above a status line with the running nodes and the time.

    A context manager: the status line is there within. It is taken away while a message streams, since the
    message's last line is then the bottom of the screen.
    """

    extra_modes: Sequence[str] = ("tasks",)
    """For the status line: which nodes are running."""

    def __init__(self, modes: Sequence[str]) -> None:
        self.modes = modes
        self.console = Console(highlight=False, markup=False, emoji=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        self.status = Progress(*columns, console=self.console, transient=True)
        self.clock = self.status.add_task("starting")
        self.tokens = Tokens(self)
        self.calls: dict[tuple[Any, ...], Calls] = {}
        """The tool calls of messages that are arriving, by the message."""
        self.started = False
        self.running: dict[str, str] = {}
        self.read: set[str] = set()
        """Ids of messages that were shown as they streamed, and need not be shown again as an update."""
        self.prompt = Prompt(0)
        self._show_by_mode: dict[str, Callable[[StreamEvent], None]] = {
            "updates": self._show_updates,
            "values": self._show_values,
            "messages": self._show_message,
            "custom": self._show_custom,
            "tasks": self._show_task,
        }

    def __enter__(self) -> Terminal:
        self.status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self.status.stop()
        if kind is None:
            self._print(f"done in {self._elapsed()}", "green")

    # Events

    def show(self, event: StreamEvent) -> None:
        """Print one event. The first is the start of the time that is shown: loading the target is not the run."""
        if not self.started:
            self.started = True
            self.status.reset(self.clock)
        self._show_by_mode.get(event.mode, self._show_other)(event)

    def _show_updates(self, event: StreamEvent) -> None:
        for node, update in event.data.items():
            if node == ASK:
                continue  # asked at the prompt
            self._heading(f"● {_where(event)}{node}", self._elapsed())
            parts = update if isinstance(update, list) else [update]
            for part in parts:
                self._fields(part)

    def _show_values(self, event: StreamEvent) -> None:
        self._heading(f"◆ {_where(event)}state", self._elapsed())
        value = event.data
        self._fields({k: v for k, v in value.items() if k != ASK} if isinstance(value, Mapping) else value)

    def _show_message(self, event: StreamEvent) -> None:
        message, metadata = event.data
        node, task = metadata.get("langgraph_node", ""), _task_id(metadata)
        streamed = type(message).__name__.endswith("Chunk")
        if message.id:
            self.read.add(message.id)
        who = "" if message.type == "tool" else f"{speaker(message)} "
        last = not streamed or getattr(message, "chunk_position", None) == "last"
        key = (event.ns, task, message.id)
        piece = self._piece(key, message, last) if streamed else words(message)
        self.tokens.add(key, piece, label=f"{_where(event)}{node} {who}", task=task, last=last)

    def _piece(self, key: tuple[Any, ...], chunk: Any, last: bool) -> str:
        """What a chunk adds to its message: text, and what can be shown of its tool calls."""
        piece = said(chunk)
        if fragments := getattr(chunk, "tool_call_chunks", None):
            piece += self.calls.setdefault(key, Calls()).add(fragments)
        return piece + self.calls.pop(key).rest() if last and key in self.calls else piece

    def _show_custom(self, event: StreamEvent) -> None:
        self._heading(f"◇ {self._only_one(event)}custom", self._elapsed())
        self._block(as_text(event.data, self._width))

    def _only_one(self, event: StreamEvent) -> str:
        """The node that an event can only be of, since no other runs in its graph; else the graph alone."""
        where = _where(event)
        names = [name for name in self.running.values() if name.startswith(where) and " > " not in name[len(where) :]]
        return f"{names[0]} " if len(names) == 1 else where

    def _show_task(self, event: StreamEvent) -> None:
        task = event.data
        if "input" in task:
            self.running[task["id"]] = f"{_where(event)}{task['name']}"
        else:
            self.running.pop(task["id"], None)
            self._end(task["id"])
        self.status.update(self.clock, description=visible(", ".join(self.running.values())) or "…")
        if "tasks" in self.modes:
            self._show_other(event)

    def _end(self, ended: str | None = None) -> None:
        """The task, or every task, is over, and its messages with it, even those whose last chunk never came."""
        for key in list(self.calls):
            if ended in (None, key[1]):
                self.tokens.add(key, self.calls.pop(key).rest(), label="", task=key[1], last=True)
        self.tokens.end(ended)

    def _show_other(self, event: StreamEvent) -> None:
        self._heading(f"· {_where(event)}{event.mode}", self._elapsed())
        self._block(visible(as_json(event.data)), style="dim")

    # Questions

    async def resume(self, pause: Pause) -> Any:
        """Ask the person; answers by interrupt id, or None to go on from a breakpoint."""
        self._end()
        self.status.stop()
        if not sys.stdin.isatty():
            raise Failure("the run waits for an answer, and standard input is no terminal", PAUSED)
        if not pause.questions:
            names = ", ".join(map(repr, pause.next))
            await self._ask(f"stopped before {names}", "Enter goes on> ")
            answer = None
        else:
            answer = Command(resume={q.interrupt.id: await self._answer(q) for q in pause.questions})
        self.status.start()
        return answer

    async def _answer(self, question: Question) -> Any:
        text, asked = "", question.interrupt
        while not text.strip():
            shown = as_text(asked.value, self._width)
            if asked.response_schema is not None:
                shown += f"\nanswer as: {visible(as_json(asked.response_schema))}"
            text = await self._ask(f"{question.node} asks", "answer (JSON or text)> ", shown)
        return parse_answer(text)

    async def _ask(self, heading: str, prompt: str, text: str = "") -> str:
        self._heading(f"? {heading}", "", "bold yellow")
        if text:
            self._block(text)
        self.console.print(Text(prompt, "bold yellow"), end="")
        self.console.file.flush()
        line = await self.prompt.line()
        if line is None:
            self.console.print()
            raise Failure("the run waits for an answer; nothing more was run", PAUSED)
        return line

    # A page for tokens

    def open(self, label: str) -> None:
        """Start a message."""
        self.status.stop()
        self.console.print(Text(f"▸ {visible(label)}", "bold cyan"), end="")

    def write(self, piece: str) -> None:
        """Show a piece of the message."""
        self.console.print(Text(visible(piece)), end="", soft_wrap=True)

    def close(self) -> None:
        """End the message."""
        self.console.print()
        self.status.start()

    # Printing

    @property
    def _width(self) -> int:
        return max(20, self.console.width - 4)

    def _elapsed(self) -> str:
        return f"{self.status.tasks[0].elapsed or 0:.1f} s"

    def _heading(self, text: str, right: str, style: str = "bold") -> None:
        self.console.print(Text.assemble((visible(text), style), (f"  {right}", "dim")), soft_wrap=True)

    def _block(self, text: str, style: str = "") -> None:
        for line in text.split("\n"):
            self.console.print(Text(f"    {line}", style), soft_wrap=True)

    def _print(self, text: str, style: str) -> None:
        self.console.print(Text(text, style))

    def _fields(self, value: Any) -> None:
        """A state or an update, a block per key."""
        if value is None:
            self._block("no change", "dim")
        elif not isinstance(value, Mapping):
            self._block(as_text(value, self._width))
        else:
            for key, item in value.items():
                self._field(str(key), item)

    def _field(self, key: str, value: Any) -> None:
        text = self._unread(value)
        if text is None:
            return
        if "\n" in text or len(key) + len(text) > self._width:
            self._block(f"{visible(key)}:\n  " + text.replace("\n", "\n  "))
        else:
            self._block(f"{visible(key)}: {text}")

    def _unread(self, value: Any) -> str | None:
        """The text of a value without the messages that were shown already; None when that is all of it."""
        items = value if isinstance(value, list) else [value]
        if not any(is_message(item) and getattr(item, "id", None) in self.read for item in items):
            return as_text(value, self._width)
        rest = [item for item in items if getattr(item, "id", None) not in self.read]
        return as_text(rest, self._width) if rest else None


def _where(event: StreamEvent) -> str:
    """The subgraph an event comes from, by its nodes' names."""
    return "".join(f"{part.partition(':')[0]} > " for part in event.ns)


def _task_id(metadata: Mapping[str, Any]) -> str:
    """The task that streams a message, from the namespace of its node (`node:task id`)."""
    return str(metadata.get("langgraph_checkpoint_ns", "")).rpartition(":")[2]
