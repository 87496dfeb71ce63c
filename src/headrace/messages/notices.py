"""Callback managers of langchain-core come in two kinds: what their methods return is awaited only for one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.tracers._streaming import _StreamingCallbackHandler

from headrace.engine.abandoned import Abandoned


async def notify(answer: Any) -> Any:
    """The answer of a manager's method: of the async kind it is awaited."""
    return await answer if inspect.isawaitable(answer) else answer


async def tell_error(manager: Any, error: BaseException, sync: bool) -> None:
    """Say that a callback run has failed; a consumer that left is told as the end of its generator."""
    if isinstance(error, GeneratorExit) and not sync:
        return  # closed from outside: nothing can be awaited any more
    await notify(manager.on_chain_error(GeneratorExit() if isinstance(error, Abandoned) else error))


async def tell_output(manager: Any, output: Any, sync: bool) -> None:
    """Show a node's output to the handlers that want to see what runs stream, as its only chunk."""
    for handler in manager.handlers:
        if not isinstance(handler, _StreamingCallbackHandler):
            continue
        if sync:
            for _ in handler.tap_output_iter(manager.run_id, iter((output,))):
                pass
        else:
            async for _ in handler.tap_output_aiter(manager.run_id, only(output)):
                pass


async def only(output: Any) -> AsyncIterator[Any]:
    yield output
