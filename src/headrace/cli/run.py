"""`headrace run`: its options, and the one place where its failures become a message and an exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection
from contextlib import AbstractContextManager, redirect_stdout
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Annotated, Any, get_args

import typer

from headrace.cli.failure import FAILED, INTERRUPTED, Failure, report
from headrace.cli.input import read, read_object
from headrace.cli.lines import Lines
from headrace.cli.session import Request, View, session
from headrace.cli.target import load
from headrace.cli.terminal import Terminal
from headrace.config import RunnableConfig
from headrace.types import StreamMode

MODES: tuple[str, ...] = get_args(StreamMode)
DEFAULT_MODES = ("updates", "messages", "custom") if find_spec("langchain_core") else ("updates", "custom")
"""There are no messages to be streamed where langchain-core is not installed."""

EPILOG = """
[bold]Examples[/bold]

headrace run examples/joke.py:graph '{"topic": "ice cream"}'

headrace run chat.py:graph "Hello"    [dim]plain text is one user message[/dim]

headrace run my.package:make_graph @input.json -m values -m custom

cat input.json | headrace run agent.py:graph - | jq .data    [dim]a JSON object a line[/dim]

headrace run agent.py:graph '{}' --thread 7 --config '{"recursion_limit": 50}'

[bold]Exit codes[/bold]

0 the run ended, 1 it failed, 2 nothing was run (bad target, input or option),
3 it waits for an answer, 130 Ctrl-C, 141 the reader of the pipe went away.
"""


def run(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="path/to/file.py:name or module:name; a graph, a builder, or a function that returns one.",
            show_default=False,
        ),
    ],
    input: Annotated[
        str | None,
        typer.Argument(
            metavar="INPUT",
            help="JSON, @file, or - for standard input; plain text when the graph's input has 'messages'. "
            "Without it the run goes on with its thread.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--mode",
            metavar="MODE",
            help=f"A stream mode: {', '.join(MODES)}. Repeatable. Default: {', '.join(DEFAULT_MODES)}.",
            show_default=False,
        ),
    ] = None,
    subgraphs: Annotated[bool, typer.Option("--subgraphs", help="Also the events of subgraphs.")] = False,
    config: Annotated[
        str | None, typer.Option(metavar="JSON|@file", help="The run's config.", show_default=False)
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="JSON|@file", help="The run's context.", show_default=False)
    ] = None,
    thread: Annotated[
        str | None, typer.Option(metavar="ID", help="The thread to run on; default: a new one.", show_default=False)
    ] = None,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show the traceback of a failure.")] = False,
) -> None:
    """Run a graph and stream what happens.

    On a terminal: steps, tokens and custom data as they come; a question of a node is asked at the prompt.

    In a pipe: one JSON object a line with seq, ns, mode and data; what the graph itself prints goes to stderr.
    """
    try:
        request = Request(
            input=None if input is None else read(input, "INPUT"),
            modes=_modes(mode),
            subgraphs=subgraphs,
            config=_config(config, thread),
            context=None if context is None else read_object(context, "--context"),
        )
        _execute(target, request)
    except BaseException as error:  # Ctrl-C and a node's sys.exit() are told as well
        raise typer.Exit(_told(error, traceback)) from None


def _told(error: BaseException, traceback: bool) -> int:
    """Say why the command ends; its exit code."""
    if isinstance(error, KeyboardInterrupt):
        error = Failure("interrupted; the run was stopped", INTERRUPTED)
    if isinstance(error, SystemExit):
        error = _exited(error)
    return report(error, with_traceback=traceback)


def _execute(spec: str, request: Request) -> None:
    """Load and run. Everything the graph started is over when this returns or raises."""
    view: View
    around: AbstractContextManager[Any]
    if sys.stdout.isatty():
        view = around = Terminal(request.modes)
    else:
        view = Lines(sys.stdout.buffer)
        around = redirect_stdout(sys.stderr)  # what the user's code prints is no JSON line
    with around:
        asyncio.run(session(load(spec), request, view))


def _modes(asked: list[str] | None) -> tuple[str, ...]:
    unknown = [mode for mode in asked or () if mode not in MODES]
    if unknown:
        raise Failure(f"unknown stream mode {unknown[0]!r}; {meant(unknown[0], MODES)}")
    return tuple(dict.fromkeys(asked or DEFAULT_MODES))


def _config(text: str | None, thread: str | None) -> dict[str, Any]:
    """The config of `--config`, with the thread of `--thread`."""
    config = read_object(text, "--config")
    known = RunnableConfig.__annotations__
    for key in config:
        if key not in known:
            raise Failure(f"--config: unknown key {key!r}; {meant(key, known)} (keys of yours go under 'configurable')")
    configurable = config.get("configurable", {})
    if not isinstance(configurable, dict):
        raise Failure("--config: 'configurable' must be a JSON object")
    named = configurable.get("thread_id", thread)
    if thread and str(named) != thread:
        raise Failure(f"--thread says {thread!r} and --config says {named!r}; leave out one of them")
    return {**config, "configurable": {**configurable, **({"thread_id": thread} if thread else {})}}


def meant(name: str, known: Collection[str]) -> str:
    """What an unknown name was meant to be, or all there are."""
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(known)}"


def _exited(error: SystemExit) -> Failure:
    failure = Failure(f"the graph's code left by sys.exit({error.code!r})", FAILED)
    failure.__cause__ = error
    return failure
