"""The tool calls of a message that is arriving, in reading order: one below the other, each as it comes.

Providers may send several calls at the same time. The first is shown live; the next one begins when the arguments of
the one before are closed, or the message is complete.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from headrace.cli.text import CALL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.messages.tool_calls import PartialCall


class Calls:
    """What is to be shown of one message's calls."""

    def __init__(self) -> None:
        from headrace.messages.tool_calls import ToolCallFragments  # noqa: PLC0415 - needs langchain-core

        self.fragments = ToolCallFragments()
        self.at = 0
        """The call that is live."""
        self.named = False
        """Whether its name is written."""
        self.written = 0
        """The characters of its arguments that are written."""

    def add(self, fragments: Iterable[Any]) -> str:
        """What to show after these fragments. A name begins a line."""
        self.fragments.add(fragments)
        return self._next(complete=False)

    def rest(self) -> str:
        """What is left when the message is complete."""
        return self._next(complete=True)

    def _next(self, *, complete: bool) -> str:
        calls = self.fragments.partial()
        shown = ""
        while self.at < len(calls):
            call = calls[self.at]
            shown += self._piece(call, complete or self.at + 1 < len(calls))
            if not complete and (self.at + 1 == len(calls) or not _is_closed(call.args)):
                break
            self.at, self.named, self.written = self.at + 1, False, 0
        return shown

    def _piece(self, call: PartialCall, named: bool) -> str:
        """A call's name once it is there for sure, and the arguments that are new."""
        if not self.named and not (call.args or named):
            return ""
        head = "" if self.named else f"\n{CALL} {call.name} "
        piece = call.args[self.written :]
        self.named, self.written = True, len(call.args)
        return head + piece


def _is_closed(args: str) -> bool:
    """Whether the arguments are complete."""
    if not args.rstrip().endswith("}"):
        return False
    try:
        json.loads(args, strict=False)
    except (ValueError, RecursionError):
        return False
    return True
