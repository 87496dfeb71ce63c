"""The methods that make a graph fit wherever langchain-core takes a Runnable.

A graph is no subclass of Runnable, whose import alone takes ten times as long as ours. Where langchain-core is loaded
it is registered as a virtual one; what it does not do itself is lent to it by the class.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from importlib import import_module
from inspect import get_annotations
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from headrace.config import DEFAULT_RECURSION_LIMIT, RunnableConfig

RUNNABLE = "langchain_core.runnables.base"


class RunnableMethods:
    """Batches, pipes and names, in terms of `invoke` and `stream`."""

    name: str
    stream_mode: Any

    if TYPE_CHECKING:  # what the graph brings, each with its own options
        invoke: Callable[..., Any]
        ainvoke: Callable[..., Coroutine[Any, Any, Any]]
        stream: Callable[..., Iterator[Any]]
        astream: Callable[..., AsyncIterator[Any]]

    as_tool: Callable[..., Any]
    assign: Callable[..., Any]
    astream_log: Callable[..., AsyncIterator[Any]]
    abatch_as_completed: Callable[..., AsyncIterator[Any]]
    batch_as_completed: Callable[..., Iterator[Any]]
    bind: Callable[..., Any]
    map: Callable[..., Any]
    pick: Callable[..., Any]
    pipe: Callable[..., Any]
    stream_events: Callable[..., Any]
    with_alisteners: Callable[..., Any]
    with_fallbacks: Callable[..., Any]
    with_listeners: Callable[..., Any]
    with_retry: Callable[..., Any]
    with_types: Callable[..., Any]

    def __getattr__(self, name: str) -> Any:
        """What langchain-core's Runnable lends: the methods above, and whatever its own code asks for."""
        if name[:2] == "__" or (name not in LENT and RUNNABLE not in sys.modules):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return library().lent(self, name)

    def __call__(self, input: Any) -> Self:
        """For langchain-core, which takes a graph that it does not know yet for a function.

        A function that answers with a Runnable has its input passed on to it.
        """
        register()
        return self

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """The graph's name, as callbacks show it."""
        return (name or self.name) + (suffix or "")

    def batch(
        self,
        inputs: Sequence[Any],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **options: Any,
    ) -> list[Any]:
        """Invoke the graph for each input, several at a time; the results in the inputs' order.

        `max_concurrency` in the config bounds how many. With `return_exceptions` a failure stands in its place;
        else the first one is raised, once all that had begun have ended.
        """
        from headrace.workers import spread  # noqa: PLC0415

        configs = one_each(config, len(inputs))

        def call(index: int) -> Any:
            return self.invoke(inputs[index], configs[index], **options)

        limit = configs[0].get("max_concurrency") if configs else None
        return settled(spread(call, len(inputs), limit), return_exceptions)

    async def abatch(
        self,
        inputs: Sequence[Any],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **options: Any,
    ) -> list[Any]:
        """`batch` for asyncio. Cancelling it cancels every run."""
        configs = one_each(config, len(inputs))
        limit = (configs[0].get("max_concurrency") if configs else None) or len(inputs) or 1
        places = asyncio.Semaphore(limit)

        async def call(index: int) -> Any:
            async with places:
                return await self.ainvoke(inputs[index], configs[index], **options)

        outcomes = await asyncio.gather(*map(call, range(len(inputs))), return_exceptions=True)
        return settled(outcomes, return_exceptions)

    def transform(self, input: Iterator[Any], config: RunnableConfig | None = None, **options: Any) -> Iterator[Any]:
        """Stream the graph on an input that comes in chunks; they are added up first."""
        yield from self.stream(added(list(input)), config, **options)

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **options: Any
    ) -> AsyncIterator[Any]:
        """`transform` for asyncio."""
        async for chunk in self.astream(added([chunk async for chunk in input]), config, **options):
            yield chunk

    def __or__(self, other: Any) -> Any:
        return library().sequence(self, other)

    def __ror__(self, other: Any) -> Any:
        return library().sequence(other, self)

    def astream_events(
        self, input: Any, config: RunnableConfig | None = None, *, version: str = "v2", **options: Any
    ) -> AsyncIterator[Any]:
        """langchain-core's events of the graph, its nodes, models and tools; the options are those of `astream`.

        The recursion limit is that of any other run, where langchain-core would put its own.
        """
        limited = {"recursion_limit": DEFAULT_RECURSION_LIMIT, **(config or {})}
        return library().events(self, input, limited, version=version, **options)  # type: ignore[no-any-return]

    # what langchain-core asks of a Runnable's input and output

    @property
    def InputType(self) -> Any:
        return self.schema_of("input")

    @property
    def OutputType(self) -> Any:
        return self.schema_of("output")

    def get_input_schema(self, config: RunnableConfig | None = None) -> Any:
        """The input as a Pydantic model."""
        return library().model_of(self.schema_of("input"), self.get_name("Input"))

    def get_output_schema(self, config: RunnableConfig | None = None) -> Any:
        """The output as a Pydantic model."""
        return library().model_of(self.schema_of("output"), self.get_name("Output"))

    def schema_of(self, side: str) -> Any:
        """The schema of one side, where the graph has one."""
        return getattr(self.__dict__.get("builder"), f"{side}_schema", Any)


LENT = frozenset(get_annotations(RunnableMethods)) - {"name", "stream_mode"}


def register() -> None:
    """Have langchain-core take graphs for Runnables, if it is loaded."""
    runnable = getattr(sys.modules.get(RUNNABLE), "Runnable", None)
    if runnable is not None:
        runnable.register(RunnableMethods)


def library() -> Any:
    """What needs langchain-core, which is loaded when it is asked for."""
    return import_module("headrace.messages.pipe")


def one_each(config: RunnableConfig | Sequence[RunnableConfig] | None, count: int) -> list[RunnableConfig]:
    """A config for each input; a run id, of which there can be only one, goes to the first."""
    if config is None or isinstance(config, dict):
        rest: Any = {key: value for key, value in (config or {}).items() if key != "run_id"}
        return [config or {}, *(rest for _ in range(count - 1))][:count]
    if len(config) != count:
        raise ValueError(f"{len(config)} configs for {count} inputs; give one config, or one for each input")
    return list(config)


def settled(outcomes: Sequence[Any], return_exceptions: bool) -> list[Any]:
    """The outcomes; the first failure is raised unless they are to be returned."""
    if not return_exceptions:
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
    return list(outcomes)


def added(chunks: list[Any]) -> Any:
    """Chunks of an input as one: added up where they can be, else the last."""
    total = chunks[0] if chunks else None
    for chunk in chunks[1:]:
        try:
            total = total + chunk
        except TypeError:
            total = chunk
    return total
