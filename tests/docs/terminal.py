"""A command as a reader runs it: in a pipe, or on a terminal of a given width."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
"""Where the commands of this Python's environment are, `headrace` among them."""

SIGN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([^\x1b])", re.DOTALL)


def in_pipe(command: str, folder: Path) -> str:
    """What a shell command writes on its output and its error output, which are no terminal."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    return done.stdout


def on_terminal(command: str, folder: Path) -> str:
    """What stands on the screen when a shell command has ended."""
    main, side = os.openpty()
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=environment(), stdin=side, stdout=side, stderr=side
    )
    os.close(side)
    raw = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:  # Linux: nobody has the other side open any more
            break
        if not data:
            break
        raw += data
    process.wait()
    os.close(main)
    return screen(raw.decode())


def environment() -> dict[str, str]:
    """A shell in which `headrace` is found, on a terminal that is wide enough for what is shown."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "TERM": "xterm", "COLUMNS": "100"}


def screen(written: str) -> str:
    """The lines that are there after the cursor has gone where it was sent: left, up, and over what it erased."""
    lines, row, column = [""], 0, 0
    for parameters, letter, sign in SIGN.findall(written):
        if letter == "A":
            row = max(0, row - int(parameters or 1))
        elif letter == "K":
            lines[row] = ""
        elif sign == "\r":
            column = 0
        elif sign == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif sign:
            lines[row] = lines[row][:column].ljust(column) + sign + lines[row][column + 1 :]
            column += 1
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"
