"""Tools with which a model finds files, and lines in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from pathlib import Path
from typing import Any, Literal

from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, Field

from headrace import clock
from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.files.glob import GlobPattern
from headrace.agents.middleware.files.grep import Match, matches, usable
from headrace.agents.middleware.files.tree import FileTree, Found
from headrace.agents.middleware.stoppable import in_thread, stopped_with_run

MOST_RESULTS = 200
"""Lines of one answer; how many more there are is told."""

SEARCH_S = 30.0
"""Seconds for one search; then it answers what it has."""

GLOB = """\
Finds files by a pattern for their path: * stands for any part of a name, ? for one character, [a-z] for one of these,
{py,txt} for either, ** for any folders. "*.py" looks into one folder only, "**/*.py" into all below it. The newest
files come first. Paths begin at /, the root of what can be searched."""

GREP = """\
Finds lines that match a regular expression, in all text files below a path. Answers the files with such lines, or the
lines themselves with their numbers (output_mode "content"), or how many each file has ("count"). `include` limits the
search to names such as "*.py" or "*.{ts,tsx}", or to paths such as "src/**/*.py". Paths begin at /, the root."""

OutputMode = Literal["files_with_matches", "content", "count"]


class GlobInput(BaseModel):
    pattern: str = Field(description='For example "**/*.py" or "/docs/*.md".')
    path: str = Field("/", description="The folder in which to look.")


class GrepInput(BaseModel):
    pattern: str = Field(description="A regular expression; lines are searched one by one.")
    path: str = Field("/", description="The folder or file in which to look.")
    include: str | None = Field(None, description="A pattern for the files to look into.")
    output_mode: OutputMode = Field("files_with_matches", description="What to answer.")


class FilesystemFileSearchMiddleware(AgentMiddleware[Any, Any, Any]):
    """Gives the model `glob_search` and `grep_search` over the files below `root_path`, and nothing outside of it.

    Paths are virtual: "/src/a.py" is `root_path/src/a.py`. `..`, `~` and links that lead out are refused, and the model
    is told. Links to folders are not followed, those to files count if the file is below the root; a hard link cannot
    be told from a file. What a version control keeps (`.git`, ...) is left out, unless the path leads into it; other
    hidden and ignored files are not. Whatever is below the root, the model may read: put no secrets there.

    `grep_search` uses ripgrep (`rg`) if it is installed and `use_ripgrep`, else Python's `re`; the answers are the
    same. It leaves out files that are no text or have more than `max_file_size_mb` megabytes, runs in a process of its
    own, and ends after `SEARCH_S` seconds, however bad the pattern is. An answer has at most `MOST_RESULTS` lines.
    """

    def __init__(self, *, root_path: str | Path, use_ripgrep: bool = True, max_file_size_mb: int = 10) -> None:
        root = Path(root_path).expanduser()
        if not root.is_dir():
            raise ValueError(f"root_path {str(root)!r} is no folder; files are searched below an existing one")
        if isinstance(max_file_size_mb, bool) or not max_file_size_mb > 0:
            raise ValueError(f"max_file_size_mb must be a number above zero, got {max_file_size_mb!r}")
        self.tree = FileTree(root.resolve())
        self.use_ripgrep = use_ripgrep
        self.max_file_size_mb = max_file_size_mb
        self.tools = [self.glob_tool(), self.grep_tool()]

    def glob_tool(self) -> StructuredTool:
        def glob_search(pattern: str, path: str = "/") -> str:
            search = Search()
            return search.done(lambda: self.glob(pattern, path, search))

        async def aglob_search(pattern: str, path: str = "/") -> str:
            search = Search()
            return await search.adone(lambda: self.glob(pattern, path, search))

        return StructuredTool(
            name="glob_search", description=GLOB, args_schema=GlobInput, func=glob_search, coroutine=aglob_search,
            handle_tool_error=True,
        )  # fmt: skip

    def grep_tool(self) -> StructuredTool:
        def grep_search(
            pattern: str, path: str = "/", include: str | None = None, output_mode: OutputMode = "files_with_matches"
        ) -> str:
            search = Search()
            return search.done(lambda: self.grep(pattern, path, include, output_mode, search))

        async def agrep_search(
            pattern: str, path: str = "/", include: str | None = None, output_mode: OutputMode = "files_with_matches"
        ) -> str:
            search = Search()
            return await search.adone(lambda: self.grep(pattern, path, include, output_mode, search))

        return StructuredTool(
            name="grep_search", description=GREP, args_schema=GrepInput, func=grep_search, coroutine=agrep_search,
            handle_tool_error=True,
        )  # fmt: skip

    def glob(self, pattern: str, path: str, search: Search) -> str:
        """The answer to `glob_search`."""
        if pattern.startswith("/"):
            path = "/"
        wanted = pattern_of(pattern)
        files = self.tree.files(path, search.halted)
        count = 0

        def found() -> Iterator[Found]:
            nonlocal count
            for file in files:
                if wanted.matches(file.names):
                    count += 1
                    yield file

        newest = nsmallest(MOST_RESULTS, found(), key=lambda file: (-file.changed, file.virtual))
        return search.answer([file.virtual for file in newest], count, "No file matches.")

    def grep(self, pattern: str, path: str, include: str | None, mode: OutputMode, search: Search) -> str:
        """The answer to `grep_search`."""
        wanted = None if include is None else pattern_of(include)
        found = self.tree.files(path, search.halted)
        anywhere = include is not None and "/" not in include
        large = 0

        def files() -> Iterator[Found]:
            nonlocal large
            for file in found:
                if wanted is not None and not wanted.matches(file.names[-1:] if anywhere else file.names):
                    continue
                if file.size > self.max_file_size_mb * 1_000_000:
                    large += 1
                else:
                    yield file

        hits = matches(
            files(), usable(pattern), first=mode == "files_with_matches", ripgrep=self.use_ripgrep,
            halted=search.halted,
        )  # fmt: skip
        lines, count = shown(hits, mode)
        if large:
            search.notes.append(f"[not searched, as they have more than {self.max_file_size_mb} MB: {large} file(s)]")
        return search.answer(lines, count, "No line matches.")


class Search:
    """One search: when it must end, and what else the model should know of it."""

    def __init__(self) -> None:
        self.limit = clock.monotonic() + SEARCH_S
        self.stopped = False
        self.notes: list[str] = []

    def stop(self) -> None:
        self.stopped = True

    def halted(self) -> bool:
        return self.stopped or self.late

    @property
    def late(self) -> bool:
        return clock.monotonic() > self.limit

    def done(self, work: Callable[[], str]) -> str:
        """The answer. ToolException, with a text for the model, for a path or pattern that cannot be used."""
        with stopped_with_run(self.stop):
            try:
                return work()
            except ValueError as error:
                raise ToolException(f"Error: {error}.") from error

    async def adone(self, work: Callable[[], str]) -> str:
        return await in_thread(lambda: self.done(work), self.stop)

    def answer(self, lines: list[str], count: int, nothing: str) -> str:
        """The lines, and what is missing among them."""
        if count > len(lines):
            self.notes.insert(0, f"[and {count - len(lines)} more; narrow the search]")
        if self.late:
            self.notes.append(f"[not complete: stopped after {SEARCH_S:g} s; look into a smaller folder]")
        return "\n".join([*(lines or [nothing]), *self.notes])


def pattern_of(text: str) -> GlobPattern:
    """A pattern for paths. ValueError, with a text for the model."""
    if text.startswith("~") or ".." in text.split("/"):
        raise ValueError(f"the pattern {text!r} is refused: '..' and '~' may lead out of the root")
    return GlobPattern(text)


def shown(hits: Iterable[Match], mode: OutputMode) -> tuple[list[str], int]:
    """The lines of an answer, in order, and how many there would be."""
    if mode == "content":
        kept: list[Match] = []
        count = 0
        for hit in hits:
            count += 1
            if count <= MOST_RESULTS:
                kept.append(hit)
        kept.sort(key=lambda hit: (hit.file.virtual, hit.number))
        return [f"{hit.file.virtual}:{hit.number}:{hit.text}" for hit in kept], count
    counts: dict[str, int] = {}
    for hit in hits:
        counts[hit.file.virtual] = counts.get(hit.file.virtual, 0) + 1
    files = sorted(counts)
    lines = files if mode == "files_with_matches" else [f"{file}:{counts[file]}" for file in files]
    return lines[:MOST_RESULTS], len(lines)
