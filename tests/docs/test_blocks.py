"""Every block of code in the documentation runs, and prints what the page says.

- `python` blocks of a page run in order, as one module.
- `bash` blocks with `headrace run` run in a pipe, `console` blocks (`$ command`, then the screen) on a terminal.
- A `text` block shows what the block before it prints. Ids, dates and elapsed times may differ.
- A python block that begins with the comment `# name.py` is also there as a file for the commands of its page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .markdown import PAGES, ROOT, Block, blocks_of
from .terminal import in_pipe, on_terminal

pytest.importorskip("langchain_core")
pytestmark = pytest.mark.main_only

KINDS = {"python", "bash", "console", "text", "mermaid", ""}

INSTALL = re.compile(r"^(pip install \S+|pip install -e '\.\[all\]') && ")
"""What the README's first command does before it runs the graph."""

NOT_RUN = {"make test", "pip install headrace", "pip install 'headrace[all]'"}
"""Commands that install, or that would run these tests again."""

HOME = "/home/you"
"""Where the pages say that a reader's files are."""

VARYING = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00"), "<time>"),
    (re.compile(r"\b\d+\.\d s\b"), "<seconds>"),
]


def same(text: str) -> str:
    """Text with what differs from run to run masked, and without spaces at the ends of lines."""
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def pages_with(*kinds: str) -> list[Any]:
    """The pages that have such blocks."""
    pages = [page for page in PAGES if any(block.kind in kinds for block in blocks_of(page.read_text()))]
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages]


def run_python(block: Block, page: Path, module: ModuleType) -> None:
    """Execute a block as a part of the page's module; tracebacks show the page's lines."""
    exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), module.__dict__)


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """The page as a module, as state classes and type hints look for it."""
    module = ModuleType("page")
    sys.modules["page"] = module
    yield module
    del sys.modules["page"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader has the examples."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path.resolve()


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_blocks_print_what_the_page_shows(
    page: Path, module: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for block in blocks_of(page.read_text()):
        if block.kind == "python":
            run_python(block, page, module)
            printed = capsys.readouterr().out
            assert same(printed) == same(block.printed or ""), f"{page.name}, line {block.line}"


@pytest.mark.parametrize("page", pages_with("bash", "console"))
def test_commands_print_what_the_page_shows(page: Path, folder: Path) -> None:
    for block in blocks_of(page.read_text()):
        first = block.text.partition("\n")[0]
        if block.kind == "python" and re.fullmatch(r"# \w+\.py", first):
            (folder / first[2:]).write_text(block.text)
        elif block.kind == "console":
            command, _, shown = block.text.removeprefix("$ ").partition("\n")
            assert same(on_terminal(command, folder)) == same(shown), f"{page.name}, line {block.line}"
        elif block.kind == "bash" and block.text.strip() not in NOT_RUN:
            assert "headrace run" in block.text, f"{page.name}, line {block.line}: nothing here knows how to run this"
            printed = in_pipe(INSTALL.sub("", block.text), folder).replace(str(folder), HOME)
            assert block.printed is None or same(printed) == same(block.printed), f"{page.name}, line {block.line}"


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_every_block_is_of_a_known_kind_and_every_output_belongs_to_one(page: Path) -> None:
    source = page.read_text()
    blocks = blocks_of(source)
    assert source.count("\n```") + source.startswith("```") == 2 * len(blocks)
    assert {block.kind for block in blocks} <= KINDS
    before = ""
    for block in blocks:
        assert block.kind != "text" or before in ("python", "bash"), f"{page.name}, line {block.line}: whose output?"
        before = block.kind
