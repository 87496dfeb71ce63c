"""The table of differences in `docs/how-to/moving-over.md`, made of the list that the comparisons keep.

`python -m tests.docs.differences_table` writes it into the page.
"""

from __future__ import annotations

from tests.docs.markdown import ROOT
from tests.oracle.agents.differences import DIFFERENCES as AGENTS
from tests.oracle.differences import DIFFERENCES, WARNINGS

PAGE = ROOT / "docs" / "how-to" / "moving-over.md"
BEGIN, END = "<!-- differences: made by tests/docs/differences_table.py -->\n", "<!-- end of differences -->\n"


def table() -> str:
    """One line for each difference, those of agents last, and each warning."""
    rows = [(name, difference.reason) for name, difference in (DIFFERENCES | AGENTS).items()]
    rows += [(f"a warning: {part}", reason) for part, reason in WARNINGS.items()]
    lines = [f"| {name} | {reason} |\n" for name, reason in rows]
    return "".join(["\n| what | there, and here |\n", "|---|---|\n", *lines, "\n"])


def in_page() -> str:
    """The table as the page has it."""
    return PAGE.read_text().split(BEGIN)[1].split(END)[0]


def write() -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    write()
