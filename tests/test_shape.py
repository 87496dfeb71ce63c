"""The engine stays small enough to be read."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import headrace

SOURCE = Path(headrace.__file__).parent
ENGINE_LINES = 2500
"""Of code: what explains it is not counted against it."""
FUNCTION_LINES = 60


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a file, and its lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            yield f"{path.name}: {node.name}", node.end_lineno - node.lineno + 1


def code_lines(path: Path) -> set[int]:
    """The lines of a file that hold code: no blank ones, no comments, no docstrings."""
    text = path.read_text()
    told = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.end_lineno is not None
        for line in range(node.lineno, node.end_lineno + 1)
    }
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    held = {line for token in tokens if token.type not in LAYOUT for line in range(token.start[0], token.end[0] + 1)}
    return held - told


LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def test_the_engine_is_under_its_line_limit() -> None:
    counts = {path.name: len(code_lines(path)) for path in (SOURCE / "engine").glob("*.py")}
    assert sum(counts.values()) < ENGINE_LINES, counts


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_function_is_long(path: Path) -> None:
    assert [(name, lines) for name, lines in functions(path) if lines > FUNCTION_LINES] == []
