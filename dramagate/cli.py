"""`dramagate`: the command line. Commands lie in `dramagate/commands/`; this file names them and ends them.

Exit codes (design.md section 3): 0 approve or success, 10 segment, 11 hold, 12 reject, 2 wrong usage or
configuration, 3 unusable or missing input, 4 something needed is unavailable.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer

from dramagate.commands import check as checking
from dramagate.commands import compare as comparing
from dramagate.commands import files, machine, records, service
from dramagate.commands.errors import USAGE, complain, exit_code_of, sentence_of, write_json

app = typer.Typer(
    name="dramagate",
    help="The gate an AI-made short drama passes before it is published.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("check")(checking.check)
app.command("compare")(comparing.compare)
app.command("inspect")(files.inspect)
app.command("sign")(files.sign)
app.command("label")(files.label)
app.command("render")(files.render)
app.command("serve")(service.serve)
app.command("work")(service.work)
app.command("demo")(service.demo)
app.command("doctor")(machine.doctor)
app.command("bench")(machine.bench)
app.add_typer(machine.models, name="models")
app.add_typer(machine.keys, name="keys")
app.add_typer(records.registry, name="registry")


def _borrowed() -> None:
    """Commands whose files bring their own typer functions."""
    from dramagate.commands.generate import generate
    from dramagate.commands.rules import rules
    from dramagate.commands.text import text

    app.command("text")(text)
    app.command("generate")(generate)
    app.add_typer(rules, name="rules")


_borrowed()


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("dramagate"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command named on the command line, turning every expected error into one sentence and its code."""
    # From 1.29 on, ONNX Runtime reports to its makers unless this is set before it is loaded; ours tells nobody.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Chinese shows escapes rather than a crash
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(app(standalone_mode=False))
    except KeyboardInterrupt:
        sys.exit(130)
    except _MISUSED as misused:
        sys.exit(_misused(misused))
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        _failed(sentence_of(error), code)
        sys.exit(code)


_MISUSED: Any = typer.BadParameter.__base__
"""Typer's error for a command line it cannot read: the parent, in every version, of the one it makes public."""


def _misused(error: Any) -> int:
    """Say in one sentence what is wrong with the command line and where its help is; the exit code."""
    if not error.format_message():  # a group named without a command: its help has been printed
        return USAGE
    command = error.ctx.command_path if error.ctx is not None else "dramagate"
    said = error.format_message().rstrip(".")
    _failed(f"{said} See {command} --help" if said.endswith("?") else f"{said}; see {command} --help", USAGE)
    return USAGE


def _failed(sentence: str, code: int) -> None:
    complain(sentence)
    if "--json" in sys.argv:
        write_json({"schema": "dramagate/error@1", "error": sentence, "exit": code})


if __name__ == "__main__":
    main()
