"""The `headrace` command."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line. Ends the process: see `headrace.cli.failure` for its exit codes."""
    missing = [name for name in ("typer", "rich", "orjson") if find_spec(name) is None]
    if missing:
        need = " and ".join(missing)
        print(f"headrace: the command line needs {need}; run: pip install 'headrace[cli]'", file=sys.stderr)
        sys.exit(2)
    from headrace.cli.app import app  # noqa: PLC0415 - needs what was looked for above

    app()
