"""A shell for the model: what its commands see, what the model is told, and that nothing of it outlives the run."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from headrace import clock
from headrace.agents import create_agent
from headrace.agents.middleware.redaction import RedactionRule
from headrace.agents.middleware.shell.execution import BaseExecutionPolicy, HostExecutionPolicy, ShellStartError
from headrace.agents.middleware.shell_tool import ShellToolMiddleware
from headrace.checkpoint.memory import InMemorySaver
from headrace.testing import ScriptedChatModel
from tests.drive import Drive

from .tool_calls import HI, calling, every_call_has_one_answer

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def shell(*commands: str | dict[str, Any]) -> list[AIMessage]:
    """A message for each command."""
    calls = [{"command": one} if isinstance(one, str) else one for one in commands]
    return [calling(("shell", call), first=number) for number, call in enumerate(calls, 1)]


def agent(*replies: Any, policy: BaseExecutionPolicy | None = None, workspace: Path | None = None, **more: Any) -> Any:
    middleware = ShellToolMiddleware(workspace, execution_policy=policy, **more)
    return create_agent(ScriptedChatModel(replies=[*replies, "done"]), middleware=[middleware])


def told(drive: Drive, *commands: str | dict[str, Any], **settings: Any) -> list[ToolMessage]:
    """What the model is told of each command."""
    messages = drive.invoke(agent(*shell(*commands), **settings), HI)["messages"]
    assert every_call_has_one_answer(messages)
    return [message for message in messages if isinstance(message, ToolMessage)]


def until(condition: Callable[[], Any]) -> None:
    """Wait for something that happens in another process."""
    limit = clock.monotonic() + 20
    while not condition():
        assert clock.monotonic() < limit, "it did not happen"
        threading.Event().wait(0.005)


def lives(pid: str) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


class Traces:
    """Where commands leave the numbers of their processes and the name of their folder."""

    def __init__(self, folder: Path) -> None:
        self.pids = folder / "pids"
        self.folder = folder / "folder"
        in_background = f"sleep 1000 & echo $! >> {self.pids}; pwd > {self.folder}; echo $$ >> {self.pids}"
        self.behind = in_background
        """Leaves something in the background."""
        self.hanging = f"{in_background}; touch {folder}/ready; sleep 1000"
        """Does that, and does not end."""
        self.ready = folder / "ready"

    def all_gone(self) -> bool:
        pids = self.pids.read_text().split()
        assert len(pids) >= 2
        return not any(map(lives, pids)) and not Path(self.folder.read_text().strip()).exists()


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    return Traces(tmp_path)


# what commands see


def test_the_directory_and_variables_stay_for_the_next_command(drive: Drive) -> None:
    answers = told(drive, "mkdir -p a/b; cd a/b; X=3; f() { echo f; }", "pwd; echo $X; f")
    assert [line.rpartition("/")[2] for line in answers[1].text.splitlines()] == ["b", "3", "f"]


def test_a_command_may_have_lines_and_quotes_of_all_kinds(drive: Drive) -> None:
    text = 'for i in 1 2; do\n  echo "it\'s $i"\ndone\ncat <<EOF\nin \\"here\\" `echo x`\nEOF\nprintf \'%s\' "\\é"'
    assert told(drive, text)[0].text == "it's 1\nit's 2\nin \\\"here\\\" x\n\\é"


def test_commands_have_no_input_and_do_not_eat_the_next_one(drive: Drive) -> None:
    answers = told(drive, "cat; read x || echo nothing", "echo still here")
    assert [one.text for one in answers] == ["nothing", "still here"]


def test_the_environment_of_this_process_is_not_handed_on(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    bare, home, given = told(drive, "env", 'test "$HOME" = "$PWD" && echo home', "echo $A $B", env={"A": 1, "B": "b"})
    assert "secret" not in bare.text and "PATH=" in bare.text
    assert [home.text, given.text] == ["home", "1 b"]


def test_the_workspace_is_made_and_stays(drive: Drive, tmp_path: Path) -> None:
    told(drive, "echo hi > file", workspace=tmp_path / "new" / "place")
    assert (tmp_path / "new" / "place" / "file").read_text() == "hi\n"


def test_a_workspace_of_its_own_is_removed_with_what_is_in_it(drive: Drive) -> None:
    (where,) = told(drive, "mkdir -p a/b; touch a/b/c; chmod 500 a/b a; pwd")
    assert where.text and not Path(where.text).exists()


def test_each_run_has_a_shell_of_its_own(drive: Drive) -> None:
    built = agent(*shell("echo [$X]; X=1; pwd"))
    first, second = (drive.invoke(built, HI)["messages"][2].text for _ in range(2))
    assert first.startswith("[]") and second.startswith("[]") and first != second


async def test_runs_at_the_same_time_do_not_share_a_shell() -> None:
    def reply(messages: list[BaseMessage]) -> Any:
        return shell("echo [$X]; X=1")[0] if messages[-1].type == "human" else "done"

    built = create_agent(ScriptedChatModel(replies=[reply]), middleware=[ShellToolMiddleware()])
    results = await asyncio.gather(*(built.ainvoke(HI) for _ in range(3)))
    assert [result["messages"][2].text for result in results] == ["[]"] * 3


def test_memory_and_time_of_processes_are_limited(drive: Drive) -> None:
    policy = HostExecutionPolicy(memory_bytes=2**30, cpu_time_seconds=7)
    assert told(drive, "ulimit -v; ulimit -t", policy=policy)[0].text.split() == [str(2**20), "7"]


def test_startup_commands_run_in_each_new_shell(drive: Drive) -> None:
    settings = {"startup_commands": ["X=1", "echo up >> log"]}
    answers = told(drive, "echo $X", {"restart": True}, "echo $X; cat log", **settings)
    assert [answers[0].text, answers[2].text] == ["1", "1\nup\nup"]


def test_a_startup_command_that_fails_fails_the_run(drive: Drive) -> None:
    with pytest.raises(ShellStartError, match=r"'echo oh; false' failed \(exit code 1\): oh"):
        told(drive, startup_commands="echo oh; false")


def test_a_shell_that_is_not_there_is_named(drive: Drive) -> None:
    with pytest.raises(ShellStartError, match="/no/such/shell"):
        told(drive, shell_command="/no/such/shell")


def test_another_shell_may_be_chosen(drive: Drive) -> None:
    assert told(drive, "echo $0", shell_command=["/bin/sh", "-s"])[0].text == "/bin/sh"


def test_shutdown_commands_run_at_the_end_and_a_failing_one_is_logged(
    drive: Drive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        told(drive, "X=1", shutdown_commands=["false", f"echo $X > {tmp_path}/left"])
    assert (tmp_path / "left").read_text() == "1\n"
    assert ["'false'" in record.getMessage() for record in caplog.records] == [True]


# what the model is told


def test_stderr_is_marked_and_a_failure_has_its_exit_code(drive: Drive) -> None:
    (answer,) = told(drive, "echo out; echo err >&2; (exit 3)")
    assert sorted(answer.text.splitlines()) == ["Exit code: 3", "[stderr] err", "out"]
    assert answer.status == "error" and answer.artifact["exit_code"] == 3


def test_silence_is_said(drive: Drive) -> None:
    (answer,) = told(drive, "true")
    assert (answer.text, answer.status) == ("(no output)", "success")


def test_output_without_an_end_of_line_is_whole(drive: Drive) -> None:
    assert [one.text for one in told(drive, "printf abc", "printf '\\036x'; printf 1")] == ["abc", "\x1ex1"]


def test_a_mistake_of_syntax_leaves_the_shell_as_it_was(drive: Drive) -> None:
    answers = told(drive, "X=1", "echo 'never closed", "if then", "echo $X")
    assert [one.status for one in answers] == ["success", "error", "error", "success"]
    assert answers[3].text == "1"


@pytest.mark.parametrize(
    ("command", "how"), [("exit 3", "code 3"), ("kill -9 $$", "signal 9"), ("exec false", "code 1")]
)
def test_a_shell_that_ends_is_told_and_replaced(drive: Drive, command: str, how: str) -> None:
    ended, after = told(drive, f"X=1; echo said; {command}", "echo [$X]")
    assert ended.text.startswith("said\n[The shell ended") and how in ended.text and ended.status == "error"
    assert (after.text, after.status) == ("[]", "success")


def test_a_shell_whose_outputs_were_redirected_still_answers(drive: Drive) -> None:
    hidden, after = told(drive, "exec >/dev/null 2>&1; echo hidden", "echo hidden; exec 7>&- 8>&-; false")
    assert (hidden.text, after.text) == ("(no output)", "(no output)\nExit code: 1")


def test_a_trace_is_not_taken_for_the_end_of_a_command(drive: Drive) -> None:
    assert "+ echo hi" in told(drive, "set -xv", "echo hi")[1].text


def test_a_command_that_takes_too_long_is_stopped_with_all_that_it_started(drive: Drive, traces: Traces) -> None:
    policy = HostExecutionPolicy(command_timeout=0.5)
    late, after = told(drive, f"X=1; echo begun; {traces.hanging}", "echo [$X]", policy=policy)
    assert late.text.startswith("begun\n[Stopped: the command took longer than 0.5 s")
    assert late.status == "error" and late.artifact["timed_out"] and late.artifact["exit_code"] is None
    assert after.text == "[]"
    until(traces.all_gone)


def test_lines_beyond_the_limit_are_cut_and_counted(drive: Drive) -> None:
    (answer,) = told(drive, "seq 1 50", policy=HostExecutionPolicy(max_output_lines=3))
    assert answer.text == "1\n2\n3\n[cut: these are the first 3 lines; the command wrote 50]"
    assert answer.artifact["truncated_by_lines"] and answer.artifact["total_lines"] == 50


def test_bytes_beyond_the_limit_are_cut_between_characters(drive: Drive) -> None:
    (answer,) = told(drive, "printf 'ééé'", policy=HostExecutionPolicy(max_output_bytes=5))
    assert answer.text == "éé\n[cut: these are the first 4 bytes; the command wrote 6]"


@pytest.mark.parametrize("flood", ["yes", "yes | tr -d '\\n'", "yes >&2"])
def test_a_flood_is_counted_and_not_kept(drive: Drive, flood: str) -> None:
    (answer,) = told(drive, f"({flood}) | head -c 30000000" if ">&2" not in flood else f"{flood} & sleep 0.1; kill $!")
    assert len(answer.text) < 110_000 and "[cut: " in answer.text
    assert answer.artifact["total_bytes"] > 100_000


def test_bytes_that_are_no_text_are_replaced(drive: Drive) -> None:
    assert told(drive, "printf 'a\\377b'")[0].text == "a\ufffdb"


@pytest.mark.parametrize(
    "args", [{}, {"command": " "}, {"command": "echo hi", "restart": True}, {"restart": False}, {"command": "a\0b"}]
)
def test_a_call_that_says_nothing_clear_does_nothing(drive: Drive, args: dict[str, Any]) -> None:
    (answer,) = told(drive, args)
    assert answer.status == "error" and answer.text.startswith("Nothing was done")


def test_parallel_calls_run_one_after_another_in_their_order(drive: Drive) -> None:
    calls = [("shell", {"command": f"sleep 0.0{5 - n}; echo {n} >> log; cat log"}) for n in range(5)]
    messages = drive.invoke(agent(calling(*calls)), HI)["messages"]
    assert messages[6].text == "0\n1\n2\n3\n4"


def test_a_call_waits_in_vain_for_one_that_was_refused(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.agents.middleware.shell_tool.PATIENCE_S", 0.05)
    calls = calling(("shell", {"command": 1}), ("shell", {"command": "echo hi"}))
    messages = drive.invoke(agent(calls), HI)["messages"]
    assert sorted(one.status for one in messages[2:4]) == ["error", "success"]


# redaction


def test_output_is_redacted_before_it_is_cut(drive: Drive) -> None:
    policy = HostExecutionPolicy(max_output_bytes=12)
    (answer,) = told(drive, "echo ann@mail.example.com", policy=policy, redaction_rules=[RedactionRule("email")])
    assert "[REDACTED_EM" in answer.text and "ann" not in answer.text
    assert "ann@" not in repr(answer.artifact) and answer.artifact["redaction_matches"]["email"][0]["start"] == 0


def test_output_with_data_that_is_blocked_is_withheld(drive: Drive) -> None:
    rules = [RedactionRule("token", strategy="block", detector=r"tok_\w+")]
    bad, good = told(drive, "echo tok_123", "echo fine", redaction_rules=rules)
    assert bad.status == "error" and "'token'" in bad.text and "tok_123" not in repr(bad)
    assert good.text == "fine"


# nothing outlives the run


def test_what_runs_in_the_background_ends_with_the_run(drive: Drive, traces: Traces) -> None:
    assert told(drive, traces.behind)[0].status == "success"
    until(traces.all_gone)


@linux
def test_what_left_the_process_group_ends_as_well(drive: Drive, traces: Traces) -> None:
    told(drive, f"setsid sh -c 'echo $$ >> {traces.pids}; sleep 1000' </dev/null >/dev/null 2>&1 & {traces.behind}")
    until(traces.all_gone)


def test_a_run_that_fails_leaves_nothing_while_its_error_is_kept(drive: Drive, traces: Traces) -> None:
    _, error = drive.broken(agent(*shell(traces.behind), ValueError("the model is gone")), HI)
    until(traces.all_gone)
    assert "the model is gone" in str(error)


def test_a_run_whose_consumer_leaves_between_steps_leaves_nothing(traces: Traces) -> None:
    stream = agent(*shell(traces.behind)).stream(HI, stream_mode="updates")
    assert any("tools" in update for update in stream)
    stream.close()
    until(traces.all_gone)


def test_a_stream_that_is_dropped_leaves_nothing(traces: Traces) -> None:
    stream: Iterator[Any] | None = agent(*shell(traces.behind, "true")).stream(HI, stream_mode="updates")
    assert stream is not None
    while "tools" not in next(stream):
        pass
    stream = None
    gc.collect()
    until(traces.all_gone)


def test_a_run_that_is_stopped_in_the_middle_of_a_command_leaves_nothing(traces: Traces) -> None:
    stream = agent(*shell(traces.hanging)).stream(HI, stream_mode=["tools", "updates"])
    assert any(mode == "tools" for mode, _ in stream)
    until(traces.ready.exists)
    stream.close()
    until(traces.all_gone)


async def test_a_cancelled_run_waits_until_its_command_is_gone(traces: Traces) -> None:
    task = asyncio.create_task(agent(*shell(traces.hanging)).ainvoke(HI))
    await asyncio.to_thread(until, traces.ready.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(until, traces.all_gone)


async def test_an_async_consumer_that_leaves_ends_the_command(traces: Traces) -> None:
    async with aclosing(agent(*shell(traces.hanging)).astream(HI, stream_mode=["tools", "updates"])) as stream:
        async for mode, _ in stream:
            if mode == "tools":
                await asyncio.to_thread(until, traces.ready.exists)
                break
    await asyncio.to_thread(until, traces.all_gone)


async def test_a_startup_command_is_ended_by_a_cancellation(traces: Traces) -> None:
    task = asyncio.create_task(agent(startup_commands=[traces.hanging]).ainvoke(HI))
    await asyncio.to_thread(until, traces.ready.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(until, traces.all_gone)


def test_calls_that_wait_in_line_are_stopped_with_the_run(traces: Traces) -> None:
    calls = calling(("shell", {"command": traces.hanging}), ("shell", {"command": "echo never"}))
    stream = agent(calls).stream(HI, stream_mode=["tools", "updates"])
    assert any(mode == "tools" for mode, _ in stream)
    until(traces.ready.exists)
    stream.close()
    until(traces.all_gone)


PROGRAM = """
from headrace.agents import create_agent
from headrace.agents.middleware.shell_tool import ShellToolMiddleware
from headrace.testing import ScriptedChatModel
from langchain_core.messages import AIMessage

call = AIMessage("", tool_calls=[{{"name": "shell", "args": {{"command": {command!r}}}, "id": "1"}}])
agent = create_agent(ScriptedChatModel(replies=[call, "done"]), middleware=[ShellToolMiddleware()])
stream = agent.stream({{"messages": "hi"}}, stream_mode="updates")
while "tools" not in next(stream):
    pass
"""


def test_a_program_that_exits_leaves_nothing(traces: Traces) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM.format(command=traces.behind)], check=True)
    until(traces.all_gone)


def test_a_run_that_pauses_ends_its_shell_and_says_so_when_it_goes_on(
    drive: Drive, traces: Traces, thread: Any
) -> None:
    model = ScriptedChatModel(replies=[*shell(f"X=1; {traces.behind}", "echo [$X]", "echo again"), "done"])
    built = create_agent(
        model, middleware=[ShellToolMiddleware()], checkpointer=InMemorySaver(), interrupt_after=["tools"]
    )
    drive.invoke(built, HI, thread)
    until(traces.all_gone)
    for _ in range(3):
        result = drive.invoke(built, None, thread)
    answers = [message.text for message in result["messages"] if message.type == "tool"]
    assert answers[1].startswith("[This is a new shell") and answers[1].endswith("]\n[]")


# settings


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"env": {"A=B": "c"}}, "A=B"),
        ({"env": {"A": [1]}}, "'A' must be"),
        ({"env": {"A": "\0"}}, "'A'"),
        ({"shell_command": []}, "shell_command is empty"),
        ({"startup_commands": 5}, "startup_commands"),
        ({"shutdown_commands": [5]}, "shutdown_commands"),
        ({"workspace_root": __file__}, "is no directory"),
        ({"execution_policy": "host"}, "execution policy"),
        ({"redaction_rules": [RedactionRule("no such thing")]}, "no such thing"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ShellToolMiddleware(**settings)


def test_the_tool_has_its_name_and_description_and_the_model_sees_two_arguments() -> None:
    (tool,) = ShellToolMiddleware(tool_name="bash", tool_description="Runs things.").tools
    assert (tool.name, tool.description) == ("bash", "Runs things.")
    schema: Any = tool.tool_call_schema
    assert set(schema.model_json_schema()["properties"]) == {"command", "restart"}
