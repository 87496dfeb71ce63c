"""A shell for the model: nodes, messages, their status, and what they have as artifacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..program import Driver
from ..roots import Kit
from .compare import DRIVERS, WORDS_OF_ANSWERS, WORDS_OF_ERRORS, ask, calling, masked, same, scripted

pytestmark = [  # pipes of the shell stay open there
    pytest.mark.main_only,
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SESSION = masked(
    r"(?<=ShellToolMiddleware.before_agent': ).*",
    "...",
    "The session is a value of the state there, and so in the stream, which no encoder can write; here the middleware "
    "keeps it beside the run.",
)
MATCHES = masked(
    r"'value': '[^']*', ", "", "The artifact has the values that were redacted there; here only where they stood."
)
DIFFERENCES = [SESSION, MATCHES, WORDS_OF_ANSWERS, WORDS_OF_ERRORS]
"""What the libraries do alike is compared; on purpose they differ in what is not played here:

- What a command writes to stderr last may be lost there; here each stream is read to its own mark.
- Output without an end of line, a mistake of syntax, `exit` and a command that reads its input end in a timeout there;
  here commands have no input, and the shell's end is noticed and told.
- After a timeout the startup commands are not run again there; here every new shell has them. What was printed until
  then is in the answer here, and its numbers in the artifact.
- An empty command ends the run there; here the model is told.
- The environment is empty there, or just `env`; here PATH, HOME and LANG come before `env`.
- A container gets no workspace of its own there, has the image's rights, and is called with `/bin/bash`, which the
  default image does not have; here it always has the workspace, no capabilities, and the shell that is there.
- What runs in the background, what left the process group, and the shell of a run that was dropped may stay there.
"""


def shell(command: str | None = None, **args: Any) -> tuple[str, dict[str, Any]]:
    return "shell", args if command is None else {"command": command, **args}


def running(*calls: Any, policy: Any = None, rules: Any = (), **settings: Any) -> Callable[[Kit], Any]:
    """An agent that makes these calls, one after another."""

    def build(kit: Kit) -> Any:
        middleware = kit.middleware.ShellToolMiddleware(
            execution_policy=kit.middleware.HostExecutionPolicy(**(policy or {})),
            redaction_rules=[kit.middleware.RedactionRule(**rule) for rule in rules],
            **settings,
        )
        turns = [calling(call, first=number) for number, call in enumerate(calls, 1)]
        return kit.agents.create_agent(scripted(*turns, "done"), middleware=[middleware])

    return build


@pytest.mark.parametrize("driver", DRIVERS)
def test_commands_of_one_shell(driver: Driver) -> None:
    calls = shell("echo hi; X=3"), shell('test "$X" = 3'), shell("echo out; false"), shell("true")
    same(running(*calls), ask("go"), driver=driver, differences=DIFFERENCES)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_restart(driver: Driver) -> None:
    calls = shell("X=3"), shell(restart=True), shell('test "$X" = 3'), shell("pwd >/dev/null")
    same(running(*calls), ask("go"), driver=driver, differences=DIFFERENCES)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("policy", [{"max_output_lines": 3}, {"max_output_bytes": 9}])
def test_output_beyond_a_limit(driver: Driver, policy: Any) -> None:
    same(running(shell("seq 1 20"), policy=policy), ask("go"), driver=driver, differences=DIFFERENCES)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("strategy", ["redact", "mask", "hash"])
def test_redaction(driver: Driver, strategy: str) -> None:
    rules = [{"pii_type": "email", "strategy": strategy}]
    same(running(shell("echo ann@example.com"), rules=rules), ask("go"), driver=driver, differences=DIFFERENCES)


@pytest.mark.parametrize("driver", DRIVERS)
def test_startup_and_another_name(driver: Driver) -> None:
    settings: dict[str, Any] = {"startup_commands": ["A=1", "B=2"], "shutdown_commands": "true", "tool_name": "run"}
    calls = ("run", {"command": "echo $A $B"}), ("run", {"command": "test $A = $B"})
    same(running(*calls, **settings), ask("go"), driver=driver, differences=DIFFERENCES)
