"""What a call of a graph may ask for, and that it makes sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from typing_extensions import TypedDict

from headrace.engine.program import Program
from headrace.engine.start import Call
from headrace.runtime import RunControl
from headrace.types import All, Durability, StreamMode

DURABILITIES = get_args(Durability)


class Options(TypedDict, total=False):
    """What every call of a graph takes, beside its input, config and mode."""

    context: Any
    """Dependencies for the nodes' runtime, as the graph's context schema says."""
    output_keys: str | Sequence[str]
    """The keys of the state to tell; all without it."""
    print_mode: StreamMode | Sequence[StreamMode]
    """Modes whose events are printed as well."""
    interrupt_before: All | Sequence[str] | None
    """Nodes before which the run pauses, in place of the graph's own."""
    interrupt_after: All | Sequence[str] | None
    """Nodes after which it pauses."""
    durability: Durability | None
    """When checkpoints are stored."""
    control: RunControl | None
    """A handle to drain the run with."""
    debug: bool | None
    """Print every step."""


def call_of(program: Program, input: Any, config: Any, options: Mapping[str, Any], **asked: Any) -> Call:
    """What one call asks; TypeError or ValueError, with what was meant, for options that do not exist."""
    if config is not None and not isinstance(config, dict):
        raise TypeError(f"the config is a dict, got {config!r}; a stream mode is given by name: stream_mode=...")
    if not options:
        return Call(input, config, **asked)  # type: ignore[arg-type]  # a dict it is
    unknown = [name for name in options if name not in Call._fields]
    if unknown:
        where = {"mode": "stream_mode=", "thread_id": "config={'configurable': {'thread_id': ...}}"}
        meant = where.get(unknown[0], f"the options are: {', '.join(Options.__annotations__)}")
        raise TypeError(f"a graph's call has no option {unknown[0]!r}; {meant}")
    call = Call(input, config, **options, **asked)  # type: ignore[arg-type]
    if call.durability is not None and call.durability not in DURABILITIES:
        raise ValueError(f"unknown durability {call.durability!r}; there are: {', '.join(map(repr, DURABILITIES))}")
    return call if call.output_keys is None else call._replace(output_keys=known_keys(program, call.output_keys))


def known_keys(program: Program, keys: str | Sequence[str]) -> str | tuple[str, ...]:
    """The asked keys; ValueError for one that the state does not have."""
    for key in (keys,) if isinstance(keys, str) else keys:
        if key not in program.state:
            there = ", ".join(map(repr, program.state))
            raise ValueError(f"output key {key!r} is not in the state; its keys are: {there}")
    return keys if isinstance(keys, str) else tuple(keys)


def quiet(options: Options) -> dict[str, Any]:
    """The options without those that say what to print."""
    return {name: value for name, value in options.items() if name not in ("print_mode", "debug")}
