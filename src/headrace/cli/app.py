"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace import __version__
from headrace.cli.run import EPILOG, run

app = typer.Typer(
    name="headrace",
    help="Run and stream agent graphs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="run", no_args_is_help=True, epilog=EPILOG)(run)


def _version(asked: bool) -> None:
    if asked:
        print(f"headrace {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")]


@app.callback()
def _commands(version: Version = False) -> None:
    """Run and stream agent graphs."""
