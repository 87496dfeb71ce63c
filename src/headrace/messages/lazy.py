"""The config that langchain-core finds in a node's context, made only if something in the node looks for it."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.engine.task import Task


class LazyConfig(dict[str, Any]):
    """The config of a task, as it is when it is looked at: a routing function is another callback run than its node.

    The dict itself stays empty.
    """

    __slots__ = ("task",)

    def __init__(self, task: Task) -> None:
        self.task = task

    @property
    def config(self) -> dict[str, Any]:
        return self.task.config  # type: ignore[return-value]

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.config)

    def __iter__(self) -> Iterator[str]:
        return iter(self.config)

    def __contains__(self, key: object) -> bool:
        return key in self.config

    def __getitem__(self, key: str) -> Any:
        return self.config[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.config.get(key, default)

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        return self.config.keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        return self.config.values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        return self.config.items()

    def copy(self) -> dict[str, Any]:
        return self.config.copy()
