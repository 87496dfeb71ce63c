"""Searching files: which are found, in which order, and how answers are written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ..program import Driver
from ..roots import Kit
from .compare import DRIVERS, ask, calling, masked, same, scripted

pytestmark = pytest.mark.main_only

NOTHING = masked(
    r"content='No (files found|file matches\.|matches found|line matches\.)'",
    "content=<nothing>",
    "What the model is told when nothing is found: each library has its own words.",
)
DIFFERENCES = [NOTHING]
"""What the libraries do alike is compared; on purpose they differ in what is not played here:

- Paths and patterns that lead out, folders and files that are not there, and patterns that cannot be read: "nothing
  found" there (an empty pattern ends the run), a message that says why, with the status `error`, here.
- `grep_search` looks into `.git` and into files that are no text there, and not into a `path` that is a file.
- `include` with a slash finds nothing there; here it is a pattern for the path.
- `glob_search` takes no braces there, and no pattern that begins with "/".
- A pattern on which `re` is busy for ever stops the whole process there.
"""

FILES = {"a.py": "hello\nbye\nhello\n", "src/b.py": "hello: 1\n", "src/deep/c.txt": "Hello\n", ".hidden.py": "hello\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for age, (name, text) in enumerate(FILES.items()):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "link.txt").symlink_to("src/deep/c.txt")
    return tmp_path


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "call",
    [
        ("glob_search", {"pattern": "**/*.py"}),
        ("glob_search", {"pattern": "*.py"}),
        ("glob_search", {"pattern": "*.py", "path": "/src"}),
        ("glob_search", {"pattern": "src/**/*.txt"}),
        ("glob_search", {"pattern": "*.md"}),
        ("glob_search", {"pattern": "src"}),
        ("grep_search", {"pattern": "hello"}),
        ("grep_search", {"pattern": "[Hh]ello", "path": "/src"}),
        ("grep_search", {"pattern": "hello", "output_mode": "content"}),
        ("grep_search", {"pattern": "hello", "output_mode": "count"}),
        ("grep_search", {"pattern": "ello", "include": "*.txt"}),
        ("grep_search", {"pattern": "ello", "include": "*.{py,txt}"}),
        ("grep_search", {"pattern": "no such line"}),
    ],
    ids=str,
)
def test_what_is_found(driver: Driver, call: Any, root: Path) -> None:
    def build(kit: Kit) -> Any:
        search = kit.middleware.FilesystemFileSearchMiddleware(root_path=str(root), use_ripgrep=False)
        return kit.agents.create_agent(scripted(calling(call), "done"), middleware=[search])

    same(build, ask("look"), driver=driver, differences=DIFFERENCES)
