"""The names that programs import are where they look for them."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import headrace

pytest.importorskip("langchain_core")

LIST = Path(__file__).parent / "data" / "public_names.txt"
LINE = re.compile(r"(?P<module>[\w.]+): (?P<names>\w+(?: \w+)*)(?: \[(?P<later>[^]]+)])?")


def lines() -> list[tuple[str, str, str | None]]:
    """Module, name, and what it waits for."""
    found = []
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match is not None, f"what is this? {line}"
            found += [(match["module"], name, match["later"]) for name in match["names"].split()]
    return found


NOW = [(module, name) for module, name, later in lines() if later is None]
LATER = [(module, name) for module, name, later in lines() if later is not None]


@pytest.mark.parametrize(("module", "name"), NOW)
def test_a_public_name_is_there(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) is not None


@pytest.mark.parametrize(("module", "name"), LATER)
def test_a_name_that_is_to_come_is_not_there_yet(module: str, name: str) -> None:
    """When it has come, its line loses its mark."""
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        return
    assert not hasattr(found, name), f"{module}.{name} is there: take the mark off its line in {LIST.name}"


def test_no_name_is_listed_twice() -> None:
    names = [(module, name) for module, name, _ in lines()]
    assert len(names) == len(set(names))


def test_the_package_itself_exports_few_names() -> None:
    assert len(headrace.__all__) <= 30


@pytest.mark.parametrize("name", headrace.__all__)
def test_what_the_package_exports_is_there_and_has_its_home_elsewhere(name: str) -> None:
    found = getattr(headrace, name)
    homes = {"END": "headrace.names", "START": "headrace.names", "StreamWriter": "headrace.types"}
    home = importlib.import_module(homes.get(name) or found.__module__)
    assert home.__name__ != "headrace"
    assert getattr(home, name) is found


@pytest.mark.parametrize("module", ["headrace", "headrace.graph", "headrace.graph.message"])
def test_a_name_that_is_nowhere_is_an_error_that_names_it(module: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'Nothing'"):
        _ = importlib.import_module(module).Nothing


def modules() -> list[str]:
    return [
        found.name
        for found in pkgutil.walk_packages(headrace.__path__, "headrace.")
        if not found.name.endswith(".__main__")
    ]


@pytest.mark.parametrize("module", modules())
def test_what_a_module_says_it_exports_it_has(module: str) -> None:
    found = importlib.import_module(module)
    missing = [name for name in getattr(found, "__all__", ()) if not hasattr(found, name)]
    assert missing == []
