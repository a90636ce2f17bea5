"""`dramagate`: the command line. Commands lie in `dramagate/commands/`; this file names them and ends them.

Exit codes (design.md section 3): 0 approve or success, 10 segment, 11 hold, 12 reject, 2 wrong usage or
configuration, 3 unusable or missing input, 4 something needed is unavailable.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from dramagate.commands import check as checking
from dramagate.commands import compare as comparing
from dramagate.commands import files, machine, records, service
from dramagate.commands.errors import complain, exit_code_of

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


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(installed_version("dramagate"))
        raise typer.Exit


def main() -> None:
    """Run the command named on the command line, turning every expected error into one sentence and its code."""
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        complain(str(error))
        if "--json" in sys.argv:
            sys.stdout.write(json.dumps({"schema": "dramagate/error@1", "error": str(error), "exit": code}) + "\n")
        sys.exit(code)


if __name__ == "__main__":
    main()
