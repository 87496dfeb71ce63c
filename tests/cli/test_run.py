"""`headrace run` in a pipe: what it writes, what it says when something is wrong, and how it exits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import headrace

from .conftest import CHAT, COMMAND, PLAIN, Run

ICE = '{"topic": "ice cream"}'

Start = Callable[..., "subprocess.Popen[bytes]"]


def events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def data(result: Result, mode: str) -> list[Any]:
    return [event["data"] for event in events(result) if event["mode"] == mode]


# What it writes


def test_each_event_is_a_json_line(run: Run) -> None:
    result = run(f"{PLAIN}:graph", ICE)
    assert result.exit_code == 0
    assert events(result) == [
        {"seq": 1, "ns": [], "mode": "updates", "data": {"refine_topic": {"topic": "ice cream and cats"}}},
        {
            "seq": 2, "ns": [], "mode": "updates",
            "data": {"generate_joke": {"joke": "This is a joke about ice cream and cats"}},
        },
    ]  # fmt: skip
    assert result.stderr == ""


def test_modes_are_those_asked_for(run: Run) -> None:
    result = run(f"{PLAIN}:graph", ICE, "-m", "values", "--mode", "updates")
    assert [event["mode"] for event in events(result)] == ["values", "updates", "values", "updates", "values"]
    assert [event["seq"] for event in events(result)] == [1, 2, 3, 4, 5]


def test_input_from_a_file_and_from_standard_input(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text(ICE)
    from_file = run(f"{PLAIN}:graph", f"@{file}")
    assert from_file.stdout == run(f"{PLAIN}:graph", "-", input=ICE).stdout == run(f"{PLAIN}:graph", ICE).stdout


def test_text_from_standard_input_is_a_message_without_the_end_of_its_line(run: Run) -> None:
    (first, _, *_) = data(run(f"{CHAT}:graph", "-", "-m", "values", input="Hello\nthere\n"), "values")
    assert first["messages"][0]["content"] == "Hello\nthere"


def test_plain_text_is_a_message_and_tokens_are_lines(run: Run) -> None:
    result = run(f"{CHAT}:graph", "Tell me a joke")
    assert result.exit_code == 0
    chunks = [message for message, _ in data(result, "messages")]
    (update,) = data(result, "updates")
    (message,) = update["call_model"]["messages"]
    assert len(chunks) > 3
    assert "".join(chunk["content"] for chunk in chunks) == message["content"]
    assert {chunk["id"] for chunk in chunks} == {message["id"]}
    assert message["type"] == "ai"


def test_subgraphs_show_their_namespace(run: Run) -> None:
    assert [event["ns"] for event in events(run(f"{CHAT}:outer", "hi", "-m", "updates"))] == [[]]
    inner, outer = events(run(f"{CHAT}:outer", "hi", "-m", "updates", "--subgraphs"))
    assert inner["ns"][0].startswith("inner:")
    assert outer["ns"] == []


@pytest.mark.parametrize("name", ["builder", "factory", "async_factory", "held"])
def test_builders_and_factories_make_the_graph(run: Run, name: str) -> None:
    result = run(f"{PLAIN}:{name}", ICE)
    assert result.exit_code == 0
    assert len(events(result)) == 2
    assert ("released" in result.stderr) == (name == "held")


def test_a_module_is_found_from_the_working_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(PLAIN).parent)
    assert len(events(run("plain:graph", ICE))) == 2


def test_config_and_thread_reach_the_graph(run: Run) -> None:
    result = run(f"{PLAIN}:graph", ICE, "--config", '{"recursion_limit": 1}')
    assert result.exit_code == 1
    assert "GraphRecursionError" in result.stderr
    for args in (["--thread", "7"], ["--config", '{"configurable": {"thread_id": "7"}}']):
        (first, *_) = data(run(f"{PLAIN}:graph", ICE, *args, "-m", "checkpoints"), "checkpoints")
        assert first["config"]["configurable"]["thread_id"] == "7"


def test_context_reaches_the_nodes(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "context.json"
    file.write_text('{"user": "Ada"}')
    assert data(run(f"{PLAIN}:with_context", "{}", "--context", f"@{file}"), "updates") == [
        {"node": {"joke": "{'user': 'Ada'}"}}
    ]


def test_what_the_graph_prints_does_not_mix_with_the_lines(run: Run) -> None:
    result = run(f"{PLAIN}:talking", ICE)
    assert data(result, "custom") == [{"progress": 1}]
    assert "printed by the node" in result.stderr


# What it says when something is wrong


@pytest.mark.parametrize(("target", "message"), [
    ("nope.py:graph", "there is no file 'nope.py'"),
    ("nope.module:graph", "there is no module 'nope.module'"),
    ("json.nope:graph", "there is no module 'json.nope'"),
    (PLAIN, f"does not name a graph: give path/to/file.py:name or module:name, for example examples/joke.py:graph; "
            f"there is {PLAIN}:builder, {PLAIN}:graph"),
    ("graph", "'graph' does not name a graph"),
    (f"{PLAIN}:grap", f"has no 'grap'; there is {PLAIN}:builder, {PLAIN}:graph"),
    (f"{PLAIN}:NUMBER", "is an int, not a graph, a builder, or a function that returns one"),
    (f"{PLAIN}:unfinished", "cannot be compiled: headrace.errors.InvalidGraphError"),
])  # fmt: skip
def test_a_bad_target(run: Run, target: str, message: str) -> None:
    result = run(target, ICE)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr


def test_a_factory_that_fails(run: Run) -> None:
    result = run(f"{PLAIN}:async_factory", ICE, "--thread", "fail")
    assert result.exit_code == 2
    assert "cannot make its graph: LookupError: no such model" in result.stderr
    assert f"at {PLAIN}:" in result.stderr


@pytest.mark.parametrize(("code", "message"), [
    ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ("1 +", "SyntaxError"),
    ("import sys; sys.exit(0)", "SystemExit: 0"),
    ("raise ValueError('no key')", "ValueError: no key"),
])  # fmt: skip
def test_a_target_that_cannot_be_imported(run: Run, tmp_path: Path, code: str, message: str) -> None:
    (tmp_path / "broken.py").write_text(code)
    result = run(f"{tmp_path}/broken.py:graph", ICE)
    assert result.exit_code == 2
    assert "cannot import" in result.stderr
    assert message in result.stderr


@pytest.mark.main_only
def test_a_graph_of_langgraph_is_told_from_ours(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "from langgraph.graph import StateGraph, START\n"
        "graph = StateGraph(dict).add_node('a', print).add_edge(START, 'a').compile()\n"
    )
    result = run(f"{tmp_path}/other.py:graph", "{}")
    assert result.exit_code == 2
    assert "import from headrace instead of langgraph" in result.stderr


@pytest.mark.parametrize(("args", "message"), [
    (["ice cream"], "no 'messages' for plain text. The graph takes a JSON object with:\n  topic: string"),
    (['{"topic": '], "INPUT is not valid JSON"),
    (["@/nope.json"], "cannot read INPUT from '/nope.json'"),
    ([], "there is no INPUT. The graph takes a JSON object with:\n  topic: string"),
    (["--thread", "a"], "there is no INPUT, and thread 'a' holds no run to go on with. The graph takes"),
    ([ICE, "-m", "tokens"], "unknown stream mode 'tokens'; there is values, updates"),
    ([ICE, "-m", "update"], "unknown stream mode 'update'; did you mean 'updates'?"),
    ([ICE, "--config", '{"recursion_limt": 5}'], "unknown key 'recursion_limt'; did you mean 'recursion_limit'?"),
    ([ICE, "--config", '{"recursion_limit": "5"}'], "recursion_limit must be a whole number of super-steps"),
    ([ICE, "--thread", "a", "--config", '{"configurable": {"thread_id": "b"}}'], "says 'a' and --config says 'b'"),
    ([ICE, "--config", "[]"], "--config must be a JSON object"),
    ([ICE, "--config", '{"configurable": 1}'], "'configurable' must be a JSON object"),
    ([ICE, "--context", "{"], "--context is not valid JSON"),
    ([ICE, "--colour", "red"], "No such option"),
])  # fmt: skip
def test_a_bad_input_or_option(run: Run, args: list[str], message: str) -> None:
    result = run(f"{PLAIN}:graph", *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_failing_node_is_named_with_its_line(run: Run) -> None:
    result = run(f"{PLAIN}:failing", ICE)
    assert result.exit_code == 1
    assert "headrace: ValueError: no joke about ice cream\n" in result.stderr
    if sys.version_info >= (3, 11):  # exceptions carry no notes before
        assert "  in node 'node', step 1" in result.stderr
    assert f"at {PLAIN}:" in result.stderr
    assert " in boom" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_traceback_comes_on_request(run: Run) -> None:
    result = run(f"{PLAIN}:failing", ICE, "--traceback")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "headrace: ValueError: no joke about ice cream" in result.stderr.splitlines()


def test_a_node_cannot_end_the_command_as_if_all_were_well(run: Run) -> None:
    result = run(f"{PLAIN}:leaving", ICE)
    assert result.exit_code == 1
    assert "sys.exit(0)" in result.stderr


def test_an_interrupt_in_a_pipe_is_told_and_has_a_code_of_its_own(run: Run) -> None:
    result = run(f"{PLAIN}:asking", ICE)
    assert result.exit_code == 3
    (update,) = data(result, "updates")
    assert update["__interrupt__"][0]["value"] == {"question": "good?"}
    assert '\'node\' asks {"question":"good?"}' in result.stderr


def test_a_breakpoint_in_a_pipe_is_told(run: Run) -> None:
    result = run(f"{PLAIN}:stopping", ICE)
    assert result.exit_code == 3
    assert "stopped before 'generate_joke'" in result.stderr


def test_help_teaches_with_examples(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for text in ("examples/joke.py:graph", "Exit codes", "--subgraphs", "checkpoints"):
        assert text in result.stdout


# As a process


def test_it_says_its_version(start: Start) -> None:
    said, _ = start("--version").communicate()
    assert said.decode().split() == ["headrace", headrace.__version__]


def test_ctrl_c_stops_the_nodes(start: Start) -> None:
    process = start("run", f"{PLAIN}:waiting", "{}")
    assert process.stdout is not None
    assert b"waiting" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.decode().splitlines() == ["cleaned up", "headrace: interrupted; the run was stopped"]


def test_ctrl_c_does_not_wait_for_a_node_that_blocks(start: Start) -> None:
    process = start("run", f"{PLAIN}:blocking", "{}")
    assert process.stdout is not None
    assert b"waiting" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "headrace: interrupted; the run was stopped" in said.decode().splitlines()


def test_a_closed_pipe_stops_the_run(start: Start) -> None:
    process = start("run", f"{PLAIN}:counting", "{}")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["data"] == 0
    process.stdout.close()
    said = process.stderr.read().decode().splitlines()
    assert process.wait() == 141
    assert said == ["cleaned up", "headrace: the reader of standard output went away; the run was stopped"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told() -> None:
    with open("/dev/full", "wb") as full:
        process = subprocess.run(
            [*COMMAND, "run", f"{PLAIN}:graph", ICE], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert process.returncode == 1
    assert process.stderr.decode() == "headrace: cannot write to standard output: No space left on device\n"


def test_without_langchain_the_default_modes_do_without_messages(start: Start) -> None:
    script = f"""if True:
        import sys
        from importlib.machinery import PathFinder
        find = PathFinder.find_spec
        PathFinder.find_spec = lambda name, *where: None if name == "langchain_core" else find(name, *where)
        sys.argv = ["headrace", "run", "{PLAIN}:talking", "{{}}"]
        import headrace.cli as cli
        cli.main()"""
    process = start(command=[sys.executable, "-c", script])
    lines, _ = process.communicate()
    assert process.returncode == 0
    assert [json.loads(line)["mode"] for line in lines.splitlines()] == ["custom", "updates"]


def test_without_its_libraries_the_command_says_which_extra_to_install(start: Start) -> None:
    script = "import sys; sys.modules['rich'] = None; sys.modules['typer'] = None; import headrace.cli as c; c.main()"
    process = start(command=[sys.executable, "-c", script])
    _, said = process.communicate()
    assert process.returncode == 2
    assert said.decode() == ("headrace: the command line needs typer and rich; run: pip install 'headrace[cli]'\n")
