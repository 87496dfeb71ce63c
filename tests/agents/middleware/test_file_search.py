"""Searching files: what is found, what is refused, and that nothing below or beside the root can hang a run."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from headrace import clock
from headrace.agents import create_agent
from headrace.agents.middleware.file_search import FilesystemFileSearchMiddleware
from headrace.agents.middleware.files.glob import GlobPattern
from headrace.testing import ScriptedChatModel
from tests.drive import Drive

from .tool_calls import HI, calling

HANGING = "(a+)+$"
LONG = "a" * 40 + "!\n"
"""A line on which Python's `re` is busy for years with that pattern."""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root, with what must not be found."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.py").write_text("hello from outside\n")
    return folder


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    root = tmp_path / "root"
    files = {
        "src/a.py": "import os\nprint('hello')\nhello = 1\n",
        "src/deep/b.py": "hello\r\n",
        "src/sp ace.py": "hello:1:2",
        "c.txt": "Hello\nhello x\n",
        ".hidden.py": "hello",
        ".git/config": "hello token",
    }
    for age, (name, text) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")
        os.utime(path, (1000 - age, 1000 - age))
    (root / "data.bin").write_bytes(b"\0hello\n")
    (root / "inside.py").symlink_to("src/a.py")
    (root / "folder").symlink_to("src")
    (root / "out").symlink_to(outside)
    (root / "secret.py").symlink_to(outside / "secret.py")
    (root / "loop").symlink_to(root)
    (root / "broken").symlink_to("nowhere")
    return root


@pytest.fixture(params=["python", "ripgrep"])
def ripgrep(request: Any) -> bool:
    """Whether ripgrep searches."""
    if request.param == "ripgrep" and shutil.which("rg") is None:
        pytest.skip("ripgrep is not installed")
    return bool(request.param == "ripgrep")


def answered(drive: Drive, root: Path, tool: str, settings: dict[str, Any], **args: Any) -> ToolMessage:
    model = ScriptedChatModel(replies=[calling((tool, args)), "done"])
    agent = create_agent(model, middleware=[FilesystemFileSearchMiddleware(root_path=str(root), **settings)])
    answer = drive.invoke(agent, HI)["messages"][2]
    assert isinstance(answer, ToolMessage)
    return answer


def glob(drive: Drive, root: Path, pattern: str, **args: Any) -> ToolMessage:
    return answered(drive, root, "glob_search", {}, pattern=pattern, **args)


def grep(drive: Drive, root: Path, pattern: str, ripgrep: bool = False, **args: Any) -> ToolMessage:
    return answered(drive, root, "grep_search", {"use_ripgrep": ripgrep}, pattern=pattern, **args)


# files by their paths


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("*.py", "/", "/inside.py /.hidden.py"),
        ("**/*.py", "/", "/inside.py /src/a.py /src/deep/b.py /src/sp ace.py /.hidden.py"),
        ("**/*.py", "/src", "/src/a.py /src/deep/b.py /src/sp ace.py"),
        ("*.py", "src", "/src/a.py /src/sp ace.py"),
        ("/src/*.py", "/", "/src/a.py /src/sp ace.py"),
        ("/src/*.py", "/src/deep", "/src/a.py /src/sp ace.py"),
        ("*.{py,txt}", "/", "/inside.py /c.txt /.hidden.py"),
        ("src/**", "/", "/src/a.py /src/deep/b.py /src/sp ace.py"),
        ("**/[ab].p?", "/", "/src/a.py /src/deep/b.py"),
        ("*.py", "/folder", "/folder/a.py /folder/sp ace.py"),
        ("config", "/.git", "/.git/config"),
        ("**/secret*", "/", "No file matches."),
        ("**/config", "/", "No file matches."),
        ("out/*", "/", "No file matches."),
        ("src", "/", "No file matches."),
    ],
)
def test_files_are_found_by_patterns_the_newest_first(
    drive: Drive, root: Path, pattern: str, path: str, found: str
) -> None:
    answer = glob(drive, root, pattern, path=path)
    assert answer.text.replace("\n", " ") == found and answer.status == "success"


@pytest.mark.parametrize(
    "path", ["..", "/..", "src/../..", "~", "~root", "/out", "/out/secret.py", "/secret.py", "a\0b", "/no"]
)
@pytest.mark.parametrize("tool", [glob, grep])
def test_paths_that_lead_out_are_refused(drive: Drive, root: Path, tool: Any, path: str) -> None:
    answer = tool(drive, root, "hello*", path=path)
    assert answer.status == "error" and answer.text.startswith("Error: ") and "outside" not in answer.text


@pytest.mark.parametrize("pattern", ["../*", "src/../../*", "~/*", "", " ", "{a", "{a,b}" * 7])
def test_patterns_for_paths_that_cannot_be_used_are_told(drive: Drive, root: Path, pattern: str) -> None:
    assert glob(drive, root, pattern).text.startswith("Error: ")
    assert grep(drive, root, "hello", include=pattern).text.startswith("Error: ")


def test_an_absolute_path_is_one_below_the_root(drive: Drive, root: Path, outside: Path) -> None:
    assert glob(drive, root, "*", path=str(outside)).status == "error"
    assert glob(drive, root, "/etc/*").text == "No file matches."


def test_long_answers_are_cut_and_say_how_much_is_missing(
    drive: Drive, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.agents.middleware.file_search.MOST_RESULTS", 2)
    assert glob(drive, root, "**/*.py").text.splitlines()[2] == "[and 3 more; narrow the search]"
    for mode in ("files_with_matches", "content", "count"):
        lines = grep(drive, root, "hello", include="*.py", output_mode=mode).text.splitlines()
        assert len(lines) == 3 and "more; narrow" in lines[2], mode


@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "**/" * 200 + "b", "[a]*" * 200 + "b", "?" * 4000])
def test_no_pattern_for_paths_takes_long(pattern: str) -> None:
    began = clock.monotonic()
    assert not GlobPattern(pattern).matches(["a" * 255] * 8)
    assert clock.monotonic() - began < 2


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("[!a]", "b", True), ("[!a]", "a", False), ("[a-c]x", "bx", True), ("[]]", "]", True), ("[a", "[a", True),
        ("a*", "a", True), ("*", "", False), ("a**b", "axxb", True), ("{a,b{c,d}}", "bd", True), ("{a,}", "a", True),
        ("?", "é", True), ("[a-]", "-", True), ("*.py", "a.pyc", False), ("a*b*c", "abbbc", True),
    ],
)  # fmt: skip
def test_patterns_for_names(pattern: str, name: str, fits: bool) -> None:
    assert GlobPattern(pattern).matches([name] if name else []) is fits


# lines


def test_files_with_matching_lines_are_listed_in_order(drive: Drive, root: Path, ripgrep: bool) -> None:
    answer = grep(drive, root, "hello", ripgrep)
    assert answer.text.split("\n") == [
        "/.hidden.py", "/c.txt", "/inside.py", "/src/a.py", "/src/deep/b.py", "/src/sp ace.py"
    ]  # fmt: skip


def test_lines_are_shown_with_their_numbers(drive: Drive, root: Path, ripgrep: bool) -> None:
    answer = grep(drive, root, "hello", ripgrep, path="/src", output_mode="content")
    assert answer.text.split("\n") == [
        "/src/a.py:2:print('hello')", "/src/a.py:3:hello = 1", "/src/deep/b.py:1:hello", "/src/sp ace.py:1:hello:1:2"
    ]  # fmt: skip


def test_lines_are_counted(drive: Drive, root: Path, ripgrep: bool) -> None:
    assert grep(drive, root, "hello", ripgrep, path="/src/a.py", output_mode="count").text == "/src/a.py:2"


@pytest.mark.parametrize(
    ("include", "found"),
    [
        ("*.txt", "/c.txt"),
        ("*.{txt,md}", "/c.txt"),
        ("src/*.py", "/src/a.py\n/src/sp ace.py"),
        ("*.md", "No line matches."),
    ],
)
def test_include_limits_the_search(drive: Drive, root: Path, ripgrep: bool, include: str, found: str) -> None:
    assert grep(drive, root, "hello", ripgrep, include=include).text == found


@pytest.mark.parametrize("pattern", [r"(?<=print\(')hello", r"(l)\1o'", r"^print.*\)$", r"\bhello'"])
def test_patterns_mean_the_same_with_and_without_ripgrep(drive: Drive, root: Path, ripgrep: bool, pattern: str) -> None:
    assert grep(drive, root, pattern, ripgrep, path="/src", output_mode="count").text == "/src/a.py:1"


@pytest.mark.parametrize("pattern", ["-e", "--files", "--pre=touch"])
def test_a_pattern_is_never_an_option(drive: Drive, root: Path, ripgrep: bool, pattern: str) -> None:
    assert grep(drive, root, pattern, ripgrep).text == "No line matches."


@pytest.mark.parametrize("pattern", ["(", "a\nb", "[", "a{2,1}", "x" * 1001])
def test_patterns_that_are_none_are_told(drive: Drive, root: Path, ripgrep: bool, pattern: str) -> None:
    answer = grep(drive, root, pattern, ripgrep)
    assert answer.status == "error" and answer.text.startswith("Error: ")


def test_files_that_are_large_or_no_text_are_left_out(drive: Drive, root: Path, ripgrep: bool) -> None:
    (root / "large.txt").write_text("hello\n" * 200_000)
    settings = {"use_ripgrep": ripgrep, "max_file_size_mb": 1}
    answer = answered(drive, root, "grep_search", settings, pattern="hello", include="*.{txt,bin}")
    assert answer.text == "/c.txt\n[not searched, as they have more than 1 MB: 1 file(s)]"


def test_long_lines_are_shortened(drive: Drive, root: Path, ripgrep: bool) -> None:
    (root / "min.js").write_text("hello " * 100_000)
    assert len(grep(drive, root, "hello", ripgrep, include="*.js", output_mode="content").text) < 1000


def test_a_pipe_among_the_files_is_no_trap(drive: Drive, root: Path, ripgrep: bool) -> None:
    os.mkfifo(root / "src" / "pipe")
    assert grep(drive, root, "hello", ripgrep, include="pipe").text == "No line matches."


def test_names_that_are_no_text_are_shown_as_far_as_they_can(drive: Drive, root: Path, ripgrep: bool) -> None:
    name = os.fsdecode(b"\xff.md")
    (root / name).write_text("hello")
    (root / "line\nbreak.md").write_text("hello")
    assert grep(drive, root, "hello", ripgrep, include="*.md").text == "/\ufffd.md"


def test_what_a_pattern_would_take_for_ever_ends_in_time(
    drive: Drive, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.agents.middleware.file_search.SEARCH_S", 0.5)
    (root / "src" / "trap.md").write_text(LONG)
    answer = grep(drive, root, HANGING, include="*.md")
    assert answer.text.startswith("No line matches.\n[not complete: stopped after 0.5 s")


def workers() -> list[str]:
    """The searches of this process that are under way."""
    listed = subprocess.run(["ps", "axww", "-o", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    mine = [line.split(None, 1)[1] for line in listed.splitlines() if line.split()[0] == str(os.getpid())]
    return [line for line in mine if "grep_worker.py" in line]


async def test_a_cancelled_search_leaves_no_process(root: Path) -> None:
    (root / "src" / "trap.md").write_text(LONG)
    model = ScriptedChatModel(replies=[calling(("grep_search", {"pattern": HANGING, "include": "*.md"})), "done"])
    agent = create_agent(model, middleware=[FilesystemFileSearchMiddleware(root_path=str(root), use_ripgrep=False)])
    task = asyncio.create_task(agent.ainvoke(HI))
    while not await asyncio.to_thread(workers):
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(workers) == []


@pytest.mark.filterwarnings("ignore:node 'tools' was stopped:RuntimeWarning")  # on a busy machine, for a moment
def test_a_search_of_a_stopped_run_leaves_no_process(root: Path) -> None:
    (root / "src" / "trap.md").write_text(LONG)
    model = ScriptedChatModel(replies=[calling(("grep_search", {"pattern": HANGING, "include": "*.md"})), "done"])
    agent = create_agent(model, middleware=[FilesystemFileSearchMiddleware(root_path=str(root), use_ripgrep=False)])
    stream: Any = agent.stream(HI, stream_mode=["tools", "updates"])
    assert any(mode == "tools" for mode, _ in stream)
    limit = clock.monotonic() + 20
    while not workers():
        assert clock.monotonic() < limit
    stream.close()
    assert workers() == []


# settings


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"root_path": "/no/such/folder"}, "root_path"),
        ({"root_path": __file__}, "root_path"),
        ({"root_path": "/", "max_file_size_mb": 0}, "max_file_size_mb"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        FilesystemFileSearchMiddleware(**settings)
