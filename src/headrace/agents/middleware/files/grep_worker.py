"""Searches files line by line, as a program: a regular expression can take for ever, and a process can be killed.

Reads one JSON object: `pattern`, `files`, `first` (only the first line of each file), `width` (where lines are cut).
Writes for each line that matches: path, NUL, line number, colon, line. Needs nothing but the standard library.
"""

import json
import os
import re
import sys
from typing import BinaryIO


def search(pattern: "re.Pattern[str]", path: str, first: bool, width: int, out: BinaryIO) -> None:
    """The lines of one file that match."""
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with open(file, "rb") as opened:
            text = opened.read().decode("utf-8", "replace")
    except OSError:
        return
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        line = line.rstrip("\r")
        if pattern.search(line):
            shown = line if len(line) <= width else f"{line[:width]} [...]"
            out.write(b"%s\0%d:%s\n" % (os.fsencode(path), number, shown.encode("utf-8", "replace")))
            out.flush()
            if first:
                return


def main() -> None:
    asked = json.load(sys.stdin.buffer)
    pattern = re.compile(asked["pattern"])
    for path in asked["files"]:
        search(pattern, path, asked["first"], asked["width"], sys.stdout.buffer)


if __name__ == "__main__":
    main()
