"""TARGET: from `path/to/file.py:name` or `module:name` to a graph that can run.

The name may be a graph, a builder (compiled here), or a factory: a function, sync or async, that returns either
and may take the config; also one that returns a context manager, held open for the run.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from headrace.checkpoint.memory import InMemorySaver
from headrace.cli.failure import Failure, describe

EXAMPLE = "path/to/file.py:name or module:name, for example examples/joke.py:graph"


@dataclass(frozen=True)
class Target:
    """A named object of the user's module, before it is known to be a graph."""

    spec: str
    value: Any


def load(spec: str) -> Target:
    """Import the module and take the named object. Runs the module's code, outside of any event loop."""
    place, _, name = spec.rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise Failure(f"{spec!r} does not name a graph: give {EXAMPLE}{_offers(spec)}")
    module = _import(place)
    value: Any = module
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise Failure(f"{place!r} has no {name!r}{_choices(place, module)}") from None
    return Target(spec, value)


@asynccontextmanager
async def opened(target: Target, config: Mapping[str, Any]) -> AsyncIterator[Any]:
    """The compiled graph. One without a saver gets one in memory, so that its interrupts can be answered."""
    async with AsyncExitStack() as stack:
        yield _compiled(await _made(target, config, stack), target)


def _import(place: str) -> ModuleType:
    is_file = place.endswith(".py") or "/" in place or "\\" in place
    path = Path(place).expanduser()
    if is_file and not path.is_file():
        raise Failure(f"there is no file {place!r}")
    try:
        return _import_file(path.resolve()) if is_file else _import_module(place)
    except ModuleNotFoundError as error:
        if not is_file and error.name and f"{place}.".startswith(f"{error.name}."):
            raise Failure(f"there is no module {place!r}; for a file, write its path, as in ./{place}.py") from None
        raise Failure(f"cannot import {place!r}: {describe(error)}") from error
    except (Exception, SystemExit) as error:
        raise Failure(f"cannot import {place!r}: {describe(error)}") from error


def _import_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    sys.path.insert(0, str(path.parent))  # as `python file.py` does
    name = path.stem
    if not name.isidentifier() or name in sys.modules:
        name = f"headrace_target_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Failure(f"{str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and type hints look their module up
    spec.loader.exec_module(module)
    return module


def _offers(spec: str) -> str:
    """For a target without a name: the names that its module has."""
    if not Path(spec).is_file() or not spec.endswith(".py"):
        return ""
    return _choices(spec, _import(spec))


def _choices(place: str, module: ModuleType) -> str:
    names = [name for name, value in vars(module).items() if _is_graph(value) or _is_builder(value)]
    return f"; there is {', '.join(f'{place}:{name}' for name in names)}" if names else ""


def _is_graph(value: Any) -> bool:
    return hasattr(value, "aevents") and not isinstance(value, type)


def _is_builder(value: Any) -> bool:
    return hasattr(value, "add_node") and hasattr(value, "compile") and not isinstance(value, type)


async def _made(target: Target, config: Mapping[str, Any], stack: AsyncExitStack) -> Any:
    """A graph or a builder: the target itself, or what it returns when called."""
    value = target.value
    if _is_graph(value) or _is_builder(value) or not callable(value):
        return value
    try:
        value = value(config) if _takes_config(value) else value()
        if inspect.isawaitable(value):
            value = await value
        if not _is_graph(value) and hasattr(value, "__aenter__"):
            value = await stack.enter_async_context(value)
        elif not _is_graph(value) and hasattr(value, "__enter__"):
            value = stack.enter_context(value)
    except Exception as error:
        raise Failure(f"{target.spec!r} cannot make its graph: {describe(error)}") from error
    return value


def _takes_config(factory: Any) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except ValueError:  # some callables written in C have no signature
        return False
    return any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _compiled(value: Any, target: Target) -> Any:
    if _is_graph(value):
        return value.copy({"checkpointer": InMemorySaver()}) if value.checkpointer is None else value
    if not _is_builder(value):
        raise Failure(f"{target.spec!r} is {_what(value)}, not a graph{_remedy(value)}")
    try:
        return value.compile(checkpointer=InMemorySaver())
    except Exception as error:
        raise Failure(f"{target.spec!r} cannot be compiled: {describe(error)}") from error


def _what(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _remedy(value: Any) -> str:
    if type(value).__module__.partition(".")[0] == "langgraph":
        return " of headrace: in your code, import from headrace instead of langgraph"
    return ", a builder, or a function that returns one"
