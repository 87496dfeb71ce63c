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
from headrace.cli.review import Call, Review, Unclear, decision, review_of
from headrace.cli.session import Pause, Question
from headrace.cli.text import FAILED, as_json, as_text, is_message, said, speaker, visible, words
from headrace.cli.tokens import Tokens
from headrace.cli.tool_lines import ToolLines
from headrace.stream.encode import encode
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
        self.running: dict[str, tuple[tuple[str, ...], str]] = {}
        """The namespace and the name of the nodes at work, by task."""
        self.agents: dict[tuple[str, ...], str] = {}
        """Names of agents whose messages were seen, by namespace; a graph inside may have that of the one around."""
        self.tools = ToolLines()
        self.growing: dict[tuple[Any, ...], StreamEvent] = {}
        """The last state of each structured object that is not complete."""
        self.read: set[str] = set()
        """Ids of messages that were shown as they streamed, and need not be shown again as an update."""
        self.prompt = Prompt(0)
        self._show_by_mode: dict[str, Callable[[StreamEvent], None]] = {
            "updates": self._show_updates,
            "values": self._show_values,
            "messages": self._show_message,
            "custom": self._show_custom,
            "tasks": self._show_task,
            "tools": self._show_tool,
            "structured": self._show_structured,
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
            if "." in node and (update is None or (isinstance(update, Mapping) and not update)):
                continue  # a middleware's hook that did nothing
            self._heading(f"● {self._where(event.ns)}{node}", self._elapsed())
            parts = update if isinstance(update, list) else [update]
            for part in parts:
                self._fields(part)

    def _show_values(self, event: StreamEvent) -> None:
        self._heading(f"◆ {self._where(event.ns)}state", self._elapsed())
        value = event.data
        self._fields({k: v for k, v in value.items() if k != ASK} if isinstance(value, Mapping) else value)

    def _show_message(self, event: StreamEvent) -> None:
        message, metadata = event.data
        node, task = metadata.get("langgraph_node", ""), _task_id(metadata)
        streamed = type(message).__name__.endswith("Chunk")
        if agent := metadata.get("lc_agent_name"):
            self.agents[event.ns] = str(agent)
        if message.id:
            self.read.add(message.id)
        who = "" if message.type == "tool" else f"{speaker(message)} "
        last = not streamed or getattr(message, "chunk_position", None) == "last"
        key = (event.ns, task, message.id)
        piece = self._piece(key, message, last) if streamed else words(message)
        self.tokens.add(key, piece, label=f"{self._where(event.ns)}{node} {who}", task=task, last=last)

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
        where = self._where(event.ns)
        names = [name for ns, name in self.running.values() if ns == event.ns]
        return f"{where}{names[0]} " if len(names) == 1 else where

    def _show_task(self, event: StreamEvent) -> None:
        task = event.data
        if "input" in task:
            self.running[task["id"]] = event.ns, task["name"]
        else:
            self.running.pop(task["id"], None)
            self._end(task["id"])
            self._show_unfinished(event.ns)
        self._describe()
        if "tasks" in self.modes:
            self._show_other(event)

    def _show_tool(self, event: StreamEvent) -> None:
        self._heading(f"{self._where(event.ns)}{self.tools.line(event.data)}", self._elapsed(), style="")

    def _show_structured(self, event: StreamEvent) -> None:
        """An object grows in the status line, where there is room for it, and is printed when it is complete."""
        found = event.data
        key = (event.ns, found["message_id"], found["name"])
        if found["complete"]:
            self.growing.pop(key, None)
            self._show_object(event)
        else:
            self.growing[key] = event
        self._describe()

    def _show_object(self, event: StreamEvent, note: str = "") -> None:
        self._heading(f"◆ {self._where(event.ns)}{event.data['name']}{note}", self._elapsed())
        self._fields(encode(event.data["value"]))

    def _show_unfinished(self, ns: tuple[str, ...] | None = None) -> None:
        """Objects that nothing more comes of, of one graph or of all."""
        for key in [key for key in self.growing if ns in (None, key[0])]:
            self._show_object(self.growing.pop(key), " (incomplete)")

    def _describe(self) -> None:
        """Tell in the status line what is going on."""
        room = self._width // 2
        parts = [", ".join(f"{self._where(ns)}{name}" for ns, name in self.running.values()) or "…"]
        for event in self.growing.values():
            text = as_json(event.data["value"])
            parts.append(f"{event.data['name']} {text if len(text) <= room else '…' + text[-room:]}")
        self.status.update(self.clock, description=visible("  ".join(parts)), refresh=bool(self.growing))

    def _end(self, ended: str | None = None) -> None:
        """The task, or every task, is over, and its messages with it, even those whose last chunk never came."""
        for key in list(self.calls):
            if ended in (None, key[1]):
                self.tokens.add(key, self.calls.pop(key).rest(), label="", task=key[1], last=True)
        self.tokens.end(ended)
        if ended is None:
            self._show_unfinished()

    def _show_other(self, event: StreamEvent) -> None:
        self._heading(f"· {self._where(event.ns)}{event.mode}", self._elapsed())
        self._block(visible(as_json(event.data)), style="dim")

    # Questions

    async def resume(self, pause: Pause) -> Any:
        """Ask the person; answers by interrupt id, or None to go on from a breakpoint."""
        self._end()
        self.running.clear()  # after an error there are tasks whose end was not told
        self.status.stop()
        if pause.refused:
            self._print(visible(f"{FAILED} {pause.refused}"), "red")
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
        review = review_of(asked.value, asked.response_schema)
        if review is not None:
            return await self._review(question.node, review)
        while not text.strip():
            shown = as_text(asked.value, self._width)
            if asked.response_schema is not None:
                shown += f"\nanswer as: {visible(as_json(asked.response_schema))}"
            text = await self._ask(f"{question.node} asks", "answer (JSON or text)> ", shown)
        return parse_answer(text)

    async def _review(self, node: str, review: Review) -> Any:
        """The decisions on tool calls, one after the other; or the whole answer, where that is typed."""
        self._heading(f"? {node} asks", "", "bold yellow")
        count, decisions = len(review.calls), list[Any]()
        for number, call in enumerate(review.calls, 1):
            self._block(call.text(self._width))
            found = await self._decision(call, f"decision {number} of {count}> " if count > 1 else "decision> ")
            if "type" not in found:
                return found
            decisions.append(found)
        return review.answer(decisions)

    async def _decision(self, call: Call, prompt: str) -> dict[str, Any]:
        while True:
            text = await self._line(prompt)
            if not text.strip():
                continue
            try:
                return decision(text, call)
            except Unclear as error:
                self._print(visible(f"{FAILED} {error}"), "red")

    async def _ask(self, heading: str, prompt: str, text: str = "") -> str:
        self._heading(f"? {heading}", "", "bold yellow")
        if text:
            self._block(text)
        return await self._line(prompt)

    async def _line(self, prompt: str) -> str:
        self.console.print(Text(prompt, "bold yellow"), end="")
        self.console.file.flush()
        line = await self.prompt.line()
        if line is None:
            self.console.print()
            raise Failure("the run waits for an answer; nothing more was run", PAUSED)
        return line

    # Names

    def _where(self, ns: tuple[str, ...]) -> str:
        """A subgraph as the beginning of a label: by its agents' names, where known, else by the nodes they run in."""
        return "".join(f"{self._part(ns[:depth])} > " for depth in range(1, len(ns) + 1))

    def _part(self, ns: tuple[str, ...]) -> str:
        name = self.agents.get(ns)
        return name if name and name != self.agents.get(ns[:-1]) else ns[-1].partition(":")[0]

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
        self.console.print(Text(text, style), soft_wrap=True)

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


def _task_id(metadata: Mapping[str, Any]) -> str:
    """The task that streams a message, from the namespace of its node (`node:task id`)."""
    return str(metadata.get("langgraph_checkpoint_ns", "")).rpartition(":")[2]
