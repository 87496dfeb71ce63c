"""A shell for the model: one session per run."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.messages import ToolMessage
from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from headrace import clock
from headrace.agents.middleware.base import AgentMiddleware
from headrace.agents.middleware.redaction import PIIDetectionError, PIIMatch, RedactionRule
from headrace.agents.middleware.shell.execution import MOST_BYTES, BaseExecutionPolicy, HostExecutionPolicy
from headrace.agents.middleware.shell.output import cut
from headrace.agents.middleware.shell.session import LOOK_S, Ran, ShellClosedError, ShellSession
from headrace.agents.middleware.stoppable import ends_with_run, in_thread, stopped_with_run
from headrace.config import current
from headrace.engine.run import Run
from headrace.engine.task import Task
from headrace.graph.schema import value_of
from headrace.prebuilt.tool_node import pending_calls
from headrace.prebuilt.tool_runtime import ToolRuntime

T = TypeVar("T")

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Run a command in a shell that stays open: the working directory, variables and functions are there for the next call.
The answer is what the command printed, lines of its stderr marked with [stderr], and its exit code unless it is 0.
Commands get no input: use options such as -y in place of answering questions, and no editors or pagers. Long output is
cut, so write it to a file and look at parts of it. A command that takes too long is stopped, and the shell starts
afresh. Several calls at once run one after another in their order. {"restart": true} starts the shell afresh."""


class ShellInput(BaseModel):
    """Either a command or a restart."""

    command: str | None = Field(None, description="What to run, as one would type it; may have several lines.")
    restart: bool | None = Field(None, description="True, without a command: start the shell afresh.")
    runtime: ToolRuntime  # not the model's to give


class Session:
    """A run's shell, and who may use it next."""

    def __init__(self, shell: ShellSession, lost: bool) -> None:
        self.shell = shell
        self.lost = lost
        """The model does not know yet that what it did to the shell before is gone."""
        self.arrived: set[str | None] = set()
        self.served: set[str | None] = set()
        self.serving: Use | None = None
        self.news = threading.Condition()


class Use:
    """One use of a session: by a call of the tool, or by a hook."""

    def __init__(self, session: Session, call: str | None = None, before: Sequence[str | None] = ()) -> None:
        self.session = session
        self.call = call
        self.before = before
        """The calls of the same message that come first."""
        self.stopped = False

    def halted(self) -> bool:
        return self.stopped or self.session.shell.held.closed

    def stop(self) -> None:
        """Give up: without waiting, from any thread. The shell is killed if it is at work for this use."""
        session = self.session
        with session.news:
            self.stopped = True
            session.news.notify_all()
            if session.serving is not self:
                return
            session.lost = True
        session.shell.held.kill()

    def do(self, work: Callable[[], T]) -> T:
        """`work()`, when it is this use's turn. NodeCancelled if the run is stopped."""
        with stopped_with_run(self.stop):
            self.wait()
            try:
                return work()
            finally:
                with self.session.news:
                    self.session.serving = None
                    self.session.served.add(self.call)
                    self.session.news.notify_all()

    def wait(self) -> None:
        """Wait for those before, of which not all need to come: some calls are refused elsewhere."""
        session, limit = self.session, clock.monotonic() + PATIENCE_S
        with session.news:
            session.arrived.add(self.call)
            session.news.notify_all()
            while session.serving is not None or self.ahead(clock.monotonic() < limit):
                session.news.wait(LOOK_S)
                if self.halted():
                    raise ShellClosedError("the run was stopped before the shell came to this command")
            session.serving = self

    def ahead(self, patient: bool) -> set[str | None]:
        """The calls to wait for: those that have come, and for a moment those that have not."""
        waiting = set(self.before) - self.session.served
        return waiting if patient else waiting & self.session.arrived


PATIENCE_S = 1.0
"""Seconds that a call waits for one before it in the same message that has not come yet."""


class ShellToolMiddleware(AgentMiddleware[Any, Any, Any]):
    """Gives the model a tool `shell`. Each run has a shell of its own, which ends with the run, however it ends.

    **By default commands run on this machine with the rights of this program** (`HostExecutionPolicy`): that is no
    sandbox, whatever `workspace_root` says. Choose `execution_policy` knowingly: `DockerExecutionPolicy` has a
    container without network; a `HumanInTheLoopMiddleware` lets somebody see each command first.

    `workspace_root`: where the shell starts; made if it is not there, and kept. None: a temporary folder per run,
    removed with it. `startup_commands` run before the model's, in each new shell; one that fails fails the run with
    `ShellStartError`. `shutdown_commands` run when the agent has its answer, and not when the run is stopped, fails or
    pauses; one that fails is logged. `redaction_rules` apply to output before it is cut; with strategy "block" the
    model gets a refusal in place of the output. `shell_command`: another shell than the policy's; it must read
    commands from stdin, as any POSIX shell does. `env`: variables beside the few that the policy gives; this program's
    own, and the keys among them, are not handed on: pass what a command needs.

    A run that pauses, for a question for example, ends its shell. When it goes on, the first command gets a new one,
    and the model is told; files stay only in a `workspace_root`.

    The tool's message has as its artifact `exit_code`, `timed_out`, `truncated_by_lines`, `truncated_by_bytes`,
    `total_lines`, `total_bytes` and `redaction_matches` (type, start and end; not the values).
    """

    def __init__(
        self,
        workspace_root: str | Path | None = None,
        *,
        startup_commands: tuple[str, ...] | list[str] | str | None = None,
        shutdown_commands: tuple[str, ...] | list[str] | str | None = None,
        execution_policy: BaseExecutionPolicy | None = None,
        redaction_rules: tuple[RedactionRule, ...] | list[RedactionRule] | None = None,
        tool_description: str | None = None,
        tool_name: str = "shell",
        shell_command: Sequence[str] | str | None = None,
        env: Mapping[str, Any] | None = None,
    ) -> None:
        self.policy = HostExecutionPolicy() if execution_policy is None else execution_policy
        if not isinstance(self.policy, BaseExecutionPolicy):
            raise ValueError(f"an execution policy such as HostExecutionPolicy() is needed, got {execution_policy!r}")
        self.workspace = folder_of(workspace_root)
        self.startup = texts("startup_commands", startup_commands)
        self.shutdown = texts("shutdown_commands", shutdown_commands)
        self.command = self.policy.shell() if shell_command is None else texts("shell_command", shell_command)
        if not self.command:
            raise ValueError("shell_command is empty; name a shell such as '/bin/bash', or leave it out")
        self.env = variables(env)
        self.rules = tuple(rule.resolve() for rule in redaction_rules or ())
        self.tool_name = tool_name
        self.sessions: weakref.WeakKeyDictionary[Run, Session] = weakref.WeakKeyDictionary()
        self.opening = threading.Lock()
        self.tools = [self.made_tool(tool_description or DESCRIPTION)]

    def made_tool(self, description: str) -> StructuredTool:
        def shell(command: str | None = None, restart: bool | None = None, *, runtime: ToolRuntime) -> ToolMessage:
            use = self.use(runtime)
            return use.do(lambda: self.answered(command, restart, use))

        async def ashell(
            command: str | None = None, restart: bool | None = None, *, runtime: ToolRuntime
        ) -> ToolMessage:
            use = self.use(runtime)
            return await in_thread(lambda: use.do(lambda: self.answered(command, restart, use)), use.stop)

        return StructuredTool(
            name=self.tool_name, description=description, args_schema=ShellInput, func=shell, coroutine=ashell
        )

    # hooks

    def before_agent(self, state: Any, runtime: Any) -> None:
        """Starts the shell. ShellStartError."""
        use = Use(self.session(lost=False))
        use.do(lambda: use.session.shell.start(use.halted))

    async def abefore_agent(self, state: Any, runtime: Any) -> None:
        use = Use(self.session(lost=False))
        await in_thread(lambda: use.do(lambda: use.session.shell.start(use.halted)), use.stop)

    def after_agent(self, state: Any, runtime: Any) -> None:
        """Runs the shutdown commands and ends the shell."""
        use = Use(self.session())
        use.do(lambda: self.leave(use))

    async def aafter_agent(self, state: Any, runtime: Any) -> None:
        use = Use(self.session())
        await in_thread(lambda: use.do(lambda: self.leave(use)), use.stop)

    def leave(self, use: Use) -> None:
        for command, ran in use.session.shell.leave(self.shutdown, use.halted):
            how = "timed out" if ran.timed_out else f"failed with exit code {ran.exit_code}"
            logger.warning("the shutdown command %r of %s %s", command, self.name, how)

    def session(self, lost: bool = True) -> Session:
        """The session of the running run, made if it has none. RuntimeError outside a run."""
        run = running()
        with self.opening:
            session = self.sessions.get(run)
            if session is None:
                shell = ShellSession(
                    self.policy, workspace=self.workspace, command=self.command, env=self.env, startup=self.startup
                )
                session = self.sessions[run] = Session(shell, lost)
                ends_with_run(run, shell.held.stop)
        return session

    # the tool

    def use(self, runtime: ToolRuntime) -> Use:
        """What a call of the tool makes of the shell, after the calls before it in the model's message."""
        calls = pending_calls(value_of(runtime.state, "messages")[1] or [])
        ids = [call["id"] for call in calls if call["name"] == self.tool_name]
        call = runtime.tool_call_id
        return Use(self.session(), call, ids[: ids.index(call)] if call in ids else ())

    def answered(self, command: str | None, restart: bool | None, use: Use) -> ToolMessage:
        """The answer to a call of the tool."""
        said = command if command and command.strip() else None
        if (said is None) != bool(restart):
            return self.message("Nothing was done: give either a command, or restart=true alone.", use.call, error=True)
        if said is None:
            use.session.shell.restart(use.halted)
            use.session.lost = False
            return self.message("The shell was started afresh.", use.call)
        if "\0" in said:
            return self.message("Nothing was done: a command cannot have NUL characters.", use.call, error=True)
        return self.answer(said, use)

    def answer(self, command: str, use: Use) -> ToolMessage:
        """The answer to a command."""
        call, notes = use.call, self.losses(use.session)
        ran = use.session.shell.run(command, use.halted)
        try:
            text, found = self.redacted(ran.text)
        except PIIDetectionError as error:
            refusal = f"The output is withheld, as it has data of type {error.pii_type!r}, which nobody may read."
            return self.message(told([*notes, refusal, *fate(ran, self.policy)]), call, facts(ran), error=True)
        text, cut_bytes = cut(text, self.policy.max_output_bytes or MOST_BYTES)
        cut_lines = ran.lines > self.policy.max_output_lines
        cut_bytes = cut_bytes or (ran.dropped and not cut_lines)
        cuts = []
        if cut_bytes:
            cuts.append(f"[cut: these are the first {len(text.encode())} bytes; the command wrote {ran.bytes}]")
        elif cut_lines:
            cuts.append(f"[cut: these are the first {len(text.splitlines())} lines; the command wrote {ran.lines}]")
        artifact = facts(ran, truncated_by_lines=cut_lines, truncated_by_bytes=cut_bytes, redaction_matches=found)
        content = told([*notes, text or "(no output)", *cuts, *fate(ran, self.policy)])
        return self.message(content, call, artifact, error=ran.exit_code != 0)

    def losses(self, session: Session) -> list[str]:
        """What the model must know of the shell before its command runs; told once."""
        if not session.lost:
            return []
        session.lost = False
        return [LOST if self.workspace is not None or session.served else f"{LOST} {EMPTY}"]

    def redacted(self, text: str) -> tuple[str, dict[str, list[dict[str, Any]]]]:
        """The text after all rules, and where they found something. PIIDetectionError."""
        found: dict[str, list[dict[str, Any]]] = {}
        for rule in self.rules:
            text, matches = rule.apply(text)
            if matches:
                found.setdefault(rule.pii_type, []).extend(places(matches))
        return text, found

    def message(self, content: str, call: str | None, artifact: Any = None, error: bool = False) -> ToolMessage:
        return ToolMessage(
            content, name=self.tool_name, tool_call_id=call or "", artifact=artifact or {},
            status="error" if error else "success",
        )  # fmt: skip


LOST = "[This is a new shell: the run was interrupted, and the directory and variables of before are gone.]"
EMPTY = "[The workspace is new and empty as well.]"


def fate(ran: Ran, policy: BaseExecutionPolicy) -> list[str]:
    """What the model must know of how a command ended."""
    if ran.timed_out:
        return [
            f"[Stopped: the command took longer than {policy.command_timeout:g} s. The shell starts afresh: its "
            "directory and variables are gone, and so is all that ran in the background.]"
        ]
    if ran.shell_ended:
        code = ran.exit_code
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return [f"[The shell ended {how}. The next command gets a new one: directory and variables are gone.]"]
    return [f"Exit code: {ran.exit_code}"] if ran.exit_code else []


def told(parts: Iterable[str]) -> str:
    return "\n".join(part.rstrip("\n") for part in parts)


def facts(ran: Ran, **more: Any) -> dict[str, Any]:
    """What a program may want to know of a command."""
    known: dict[str, Any] = {
        "timed_out": ran.timed_out, "exit_code": ran.exit_code, "truncated_by_lines": False,
        "truncated_by_bytes": False, "total_lines": ran.lines, "total_bytes": ran.bytes, "redaction_matches": {},
    }  # fmt: skip
    return {**known, **more}


def places(matches: Iterable[PIIMatch]) -> list[dict[str, Any]]:
    """Matches without the values, which are not to be read in the state either."""
    return [{"type": one["type"], "start": one["start"], "end": one["end"]} for one in matches]


def running() -> Run:
    """The run that the caller is part of. RuntimeError outside of one."""
    task = current.get()
    if not isinstance(task, Task):
        raise RuntimeError("the shell belongs to a run of an agent, and here none is running")
    return task.run


def folder_of(given: str | Path | None) -> Path | None:
    """The workspace. ValueError if something else has its name."""
    if given is None:
        return None
    path = Path(given).expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise ValueError(f"workspace_root {str(path)!r} is no directory")
    return path


def texts(name: str, given: Any) -> tuple[str, ...]:
    """One text or several. ValueError for anything else."""
    several = () if given is None else (given,) if isinstance(given, str) else given
    if not isinstance(several, (list, tuple)) or not all(isinstance(one, str) for one in several):
        raise ValueError(f"{name} is a text or a list of texts, got {given!r}")
    return tuple(several)


def variables(env: Mapping[str, Any] | None) -> dict[str, str]:
    """Variables as texts. ValueError for names and values that an environment cannot have."""
    found = {}
    for name, value in (env or {}).items():
        if not name or "=" in name or "\0" in f"{name}{value}":
            raise ValueError(f"no environment can have a variable {name!r} with the value {value!r}")
        if not isinstance(value, (str, int, float, Path)):
            raise ValueError(f"the variable {name!r} must be a text, a number or a path, got {value!r}")
        found[name] = str(value)
    return found
