"""The config that langchain-core finds in a node's context is made when it is looked at, and looks like any dict."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import ensure_config
from langchain_core.runnables.config import merge_configs, patch_config, var_child_runnable_config

from headrace.config import get_config
from tests.messages.build import Said, one

CONFIG: Any = {"tags": ["mine"], "configurable": {"thread_id": "T"}}


def seen_in_a_node() -> dict[str, Any]:
    """What a node sees of the config in its context, and of its own."""
    seen: dict[str, Any] = {}

    def look(state: Said) -> None:
        lazy: Any = var_child_runnable_config.get()
        own: Any = get_config()
        seen["whole"] = dict(lazy.items()) == own and lazy.copy() == own and {**lazy} == own
        seen["keys"] = set(lazy) == set(lazy.keys()) == set(own) and len(lazy) == len(own) and bool(lazy)
        seen["one"] = (
            lazy["tags"] == lazy.get("tags") == ["mine"]
            and "tags" in lazy
            and list(own.values()) == list(lazy.values())
        )
        seen["none"] = lazy.get("nothing", 7) == 7 and "nothing" not in lazy
        seen["ensured"] = ensure_config()["tags"] == ensure_config({"metadata": {"m": 1}})["tags"] == ["mine"]
        seen["merged"] = merge_configs(lazy, {"tags": ["more"]})["tags"]
        seen["patched"] = patch_config(lazy, run_name="x")["configurable"]["thread_id"]

    one(look).invoke({"asked": ""}, CONFIG)
    return seen


def test_it_looks_like_the_nodes_config() -> None:
    assert seen_in_a_node() == {
        "whole": True, "keys": True, "one": True, "none": True, "ensured": True, "merged": ["mine", "more"],
        "patched": "T",
    }  # fmt: skip


def test_nothing_of_it_is_left_outside_the_node() -> None:
    seen_in_a_node()
    assert var_child_runnable_config.get() is None
