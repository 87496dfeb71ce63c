"""Files below a root, by virtual paths ("/src/a.py"); nothing outside of it is ever reached."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HIDDEN = frozenset({".git", ".hg", ".svn", ".jj"})
"""Folders left out unless a path leads into them: a version control's own data, with the tokens in its config."""


class RefusedPathError(ValueError):
    """A path that is not searched; the text is for the model."""


@dataclass(frozen=True)
class Found:
    """A file."""

    real: str
    """Where it really is: no link is on the way."""
    names: tuple[str, ...]
    """Its path below the place where the search began."""
    virtual: str
    size: int
    changed: float


class FileTree:
    """The files below a root, as they are at the moment of the question."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, path: str) -> tuple[str, str]:
        """A virtual path as a real one without links, and as it is shown. RefusedPathError."""
        if "\0" in path:
            raise RefusedPathError("a path cannot have NUL characters")
        if path.startswith("~"):
            raise RefusedPathError(f"{path!r} is refused: there is no home folder here; paths begin at '/', the root")
        names = [name for name in path.split("/") if name not in ("", ".")]
        if ".." in names:
            raise RefusedPathError(f"{path!r} is refused: '..' may lead out of the root; give the path from '/'")
        shown = "/" + "/".join(names)
        try:
            real = os.path.realpath(os.path.join(self.root, *names), strict=True)
        except (OSError, ValueError):
            raise RefusedPathError(f"there is no {shown!r}; paths begin at '/', the root of the search") from None
        if not self.inside(real):
            raise RefusedPathError(f"{shown!r} is refused: it is a link that leads out of the root")
        return real, shown

    def inside(self, real: str) -> bool:
        """Whether a path without links is below the root."""
        root = str(self.root)
        return real == root or real.startswith(root if root.endswith(os.sep) else root + os.sep)

    def files(self, path: str, halted: Callable[[], bool] = lambda: False) -> Iterator[Found]:
        """The files at a virtual path, in the order of their paths; it ends early once halted. RefusedPathError.

        Links to files count if they lead to somewhere below the root; links to folders are not followed.
        """
        real, shown = self.place(path)
        if not os.path.isdir(real):
            found = self.file(real, (shown.rpartition("/")[2],), shown.rpartition("/")[0])
            return iter(() if found is None else (found,))
        return self.walk(real, shown.rstrip("/"), halted)

    def walk(self, top: str, shown: str, halted: Callable[[], bool]) -> Iterator[Found]:
        stack: list[tuple[Iterator[os.DirEntry[str]], tuple[str, ...]]] = [(children(top), ())]
        while stack and not halted():
            entries, above = stack[-1]
            entry = next(entries, None)
            if entry is None:
                stack.pop()
            elif entry.is_dir(follow_symlinks=False):
                stack.append((children(entry.path), (*above, entry.name)))
            elif (found := self.file(entry.path, (*above, entry.name), shown)) is not None:
                yield found

    def file(self, path: str, names: tuple[str, ...], shown: str) -> Found | None:
        """What is at a path, if it is a file below the root."""
        try:
            real = os.path.realpath(path, strict=True) if os.path.islink(path) else path
            about = os.stat(real, follow_symlinks=False)
        except OSError:
            return None
        if not stat.S_ISREG(about.st_mode) or not self.inside(real):
            return None
        return Found(real, names, "/".join((shown, *map(printable, names))), about.st_size, about.st_mtime)


def children(folder: str) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, by name; nothing if it cannot be read. Names with line breaks would forge results."""
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if entry.name not in HIDDEN and "\n" not in entry.name]
    except OSError:
        seen = []
    return iter(sorted(seen, key=lambda entry: entry.name))


def printable(name: str) -> str:
    """A name as text, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "replace")
