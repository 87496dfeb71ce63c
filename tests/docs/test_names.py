"""What the documentation points at is there: files, headings, modules, functions."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

import pytest

from .markdown import PAGES, ROOT, anchors_of, links_of, names_of

pytest.importorskip("langchain_core")
pytestmark = pytest.mark.main_only

every_page = pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in links_of(page.read_text()):
        place, _, anchor = link.partition("#")
        if place.startswith(("http://", "https://", "mailto:")):
            continue
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target.read_text()), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, due = set[Path](), [ROOT / "README.md"]
    while due:
        page = due.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        places = (link.partition("#")[0] for link in links_of(page.read_text()))
        due += [(page.parent / place).resolve() for place in places if place and "://" not in place]
    assert set(PAGES) <= reached


@every_page
def test_code_that_is_named_is_there(page: Path) -> None:
    for module, path in names_of(page.read_text()):
        if path:
            found = importlib.import_module(f"headrace.{module.replace('/', '.')}")
            functools.reduce(attribute, path.split("."), found)
        else:
            assert any((folder / f"{module}.py").is_file() for folder in (ROOT, ROOT / "src" / "headrace")), module


def attribute(owner: Any, name: str) -> Any:
    """An attribute; of a class also one that only its instances have."""
    if isinstance(owner, type) and name in owner.__annotations__:
        return None
    return getattr(owner, name)


def test_the_walk_names_code() -> None:
    """The pattern for names of code still finds some."""
    walk = (ROOT / "docs" / "walk.md").read_text()
    assert ("engine/loop", "steps") in set(names_of(walk))


def test_the_decisions_are_all_in_their_index() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(path.name for path in folder.glob("0*.md"))
    assert [link for link in links_of((folder / "README.md").read_text()) if link[0] == "0"] == files
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    for name in files:
        assert (folder / name).read_text().startswith(f"# {name[:4]}: ")
