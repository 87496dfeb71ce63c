"""What becomes of a tool's failure: a message to the model, or an error to the caller of the run."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias, Union, get_args, get_origin

from pydantic import ValidationError
from typing_extensions import get_type_hints

from headrace.engine.program import is_async
from headrace.errors import HeadraceError, InvalidGraphError

TOOL_CALL_ERROR_TEMPLATE = "Error: {error}\nCorrect the mistake, or go on without this tool."
"""What a model is told of a tool's error where no text of the caller's own says it."""

INSISTED = "__headrace_insisted__"

HandleToolErrors: TypeAlias = "bool | str | type[Exception] | tuple[type[Exception], ...] | Callable[..., str]"
"""True: every error becomes a message; False: none does; a text: that text for every error; exception types: only
those; a function of the error: the text it returns, for the errors that its parameter is annotated with."""


class ToolInvocationError(HeadraceError):
    """The model's arguments do not fit the tool's parameters; the tool was not called."""

    def __init__(self, tool_name: str, source: Exception, tool_kwargs: Mapping[str, Any]) -> None:
        self.tool_name, self.source, self.tool_kwargs = tool_name, source, dict(tool_kwargs)
        super().__init__(
            f"tool {tool_name!r} cannot be called with {self.tool_kwargs!r}: {reasons(source, tool_kwargs)}"
        )


class InvalidAnswerError(HeadraceError, ValueError):
    """The caller's answer to a question does not fit it. Nothing was done, and the question can be answered again."""


class ToolTimeoutError(HeadraceError, TimeoutError):
    """A tool did not answer within the time of its policy, in seconds."""

    def __init__(self, tool_name: str, timeout: float) -> None:
        self.tool_name, self.timeout = tool_name, timeout
        super().__init__(f"tool {tool_name!r} did not answer within {timeout:g} s")


class ToolCancelledError(HeadraceError):
    """A tool's code was cancelled although nobody had stopped the run."""

    def __init__(self, tool_name: str) -> None:
        self.tool_name = tool_name
        super().__init__(f"tool {tool_name!r} was cancelled from inside, not by the run it belongs to")


def reasons(error: Exception, given: Mapping[str, Any]) -> str:
    """What is wrong with the arguments; of those that the model did not give, nothing is told."""
    if not isinstance(error, ValidationError):
        return str(error)
    found = [
        one
        for one in error.errors(include_url=False)
        if one["type"] == "missing" or (str(one["loc"][:1] or "") and one["loc"][0] in given)
    ]
    lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
    return "; ".join(lines) or "they are not valid"


def check_handling(handle: Any) -> None:
    """InvalidGraphError for what does not say what becomes of errors; see `HandleToolErrors`."""
    if isinstance(handle, (type, tuple)):
        kinds = handle if isinstance(handle, tuple) else (handle,)
        fits = all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds)
    else:
        fits = isinstance(handle, (bool, str)) or (callable(handle) and not is_async(handle))
    if not fits:
        raise InvalidGraphError([
            "handle_tool_errors is True, False, a text, an exception type, a tuple of these, or a plain function of "
            f"the error, got {handle!r}"
        ])  # fmt: skip


def text_for(handle: HandleToolErrors, error: Exception) -> str | None:
    """What the model is told of an error; None: the error is the caller's."""
    if handle is False:
        return None
    if handle is True:
        return TOOL_CALL_ERROR_TEMPLATE.format(error=described(error))
    if isinstance(handle, str):
        return handle
    if isinstance(handle, (type, tuple)):
        return TOOL_CALL_ERROR_TEMPLATE.format(error=described(error)) if isinstance(error, handle) else None
    return handle(error) if isinstance(error, covered_by(handle)) else None


@contextmanager
def insisting() -> Iterator[None]:
    """Errors in here are for the caller of the run, whatever else becomes of errors around a tool's call."""
    try:
        yield
    except Exception as error:
        vars(error)[INSISTED] = True
        raise


def insisted(error: Exception) -> bool:
    """Whether an error is for the caller of the run, and no model is to be told of it instead."""
    return INSISTED in vars(error)


def described(error: Exception) -> str:
    """An error as a model reads it: ours speak for themselves, others with their class."""
    if isinstance(error, HeadraceError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def covered_by(handler: Callable[..., str]) -> tuple[type[Exception], ...]:
    """The errors that a function is for, by the annotation of its parameter; all without one."""
    try:
        hints = get_type_hints(handler)
    except (NameError, TypeError):
        return (Exception,)
    hints.pop("return", None)
    kind: Any = next(iter(hints.values()), Exception)
    several = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return several if all(isinstance(one, type) and issubclass(one, Exception) for one in several) else (Exception,)
