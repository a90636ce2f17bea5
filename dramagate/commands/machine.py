"""`dramagate models`, `keys`, `doctor` and `bench`: what this machine has, can do, and how fast."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dramagate.commands.errors import UsageError, write_json
from provenance.failure import Unavailable

if TYPE_CHECKING:
    from classifiers.weights import Status

models = typer.Typer(
    help="Weights: where they come from, their licences, whether they lie here whole.", no_args_is_help=True
)
keys = typer.Typer(help="The keys this machine signs with, and the roots it trusts.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@models.command("list")
def models_list(as_json: AsJson = False) -> None:
    """Every entry of the catalogue: source, licence, where it lies, which classifier needs it."""
    from classifiers.weights import verify
    from review.settings import load

    _show_models(verify(load().weights), as_json)


@models.command("verify")
def models_verify(as_json: AsJson = False) -> None:
    """Read every prepared file again and compare it with what was recorded. Ends with 4 where one is damaged."""
    from classifiers.weights import State, verify
    from review.settings import load

    found = verify(load().weights)
    _show_models(found, as_json)
    damaged = [s.weights.command for s in found if s.state is State.DAMAGED]
    if damaged:
        raise Unavailable("weights are damaged; run: " + "; ".join(damaged))


@models.command("pull")
def models_pull(
    name: Annotated[str | None, typer.Argument(help="Which weights; see `models list`.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Everything the default install screens with.")] = False,
    source: Annotated[Path | None, typer.Option("--from", help="Folder or archive to take them from.")] = None,
    licence: Annotated[str | None, typer.Option(help="Under what licence you hold weights you bring.")] = None,
    link: Annotated[bool, typer.Option("--link", help="Leave a brought folder where it is and link to it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prepare weights by pinned digest. Nothing is ever downloaded while screening."""
    from classifiers.weights import CATALOGUE, pull, pull_default
    from review.settings import load

    if default == (name is not None):
        raise UsageError("name the weights to pull, or say --default")
    known = [weights.name for weights in CATALOGUE]
    if name is not None and name not in known:
        raise UsageError(f"no weights are called {name!r}; there are {', '.join(known)}")
    root = load().weights
    told = (
        pull_default(root, _note)
        if name is None
        else (pull(name, root, source, licence=licence, link=link, progress=_note),)
    )
    _show_models(told, as_json)


def _note(line: str) -> None:
    sys.stderr.write(line + "\n")


def _show_models(found: tuple[Status, ...], as_json: bool) -> None:
    if as_json:
        write_json({"schema": "dramagate/models@1", "models": [s.to_json() for s in found]})
        return
    from dramagate.commands.shown import console, table

    shown = table("weights", "state", "licence", "size", "needed by", "to prepare")
    for s in found:
        w = s.weights
        size = f"{s.size_bytes / 1e6:.0f} MB" if s.size_bytes else ""
        shown.add_row(
            w.name, s.state.value, s.licence, size, ", ".join(w.needed_by), "" if s.state == "ready" else w.command
        )
    console().print(shown)


@keys.command("list")
def keys_list(as_json: AsJson = False) -> None:
    """The roles this machine signs as, until when, and where its root certificate lies."""
    from cryptography import x509

    from provenance.keys import ROLES, development
    from review.settings import load

    held = development(load().home)
    rows = []
    for role in ROLES:
        leaf = x509.load_pem_x509_certificates(held.identity(role).chain_pem)[0]
        rows.append(
            {
                "role": role,
                "subject": leaf.subject.rfc4514_string(),
                "valid_until": leaf.not_valid_after_utc.isoformat(),
                "algorithm": held.identity(role).alg,
            }
        )
    document = {"schema": "dramagate/keys@1", "root": str(held.root_path), "identities": rows}
    if as_json:
        write_json(document)
        return
    from dramagate.commands.shown import console, line, table

    shown = table("role", "subject", "valid until", "algorithm")
    for row in rows:
        shown.add_row(row["role"], row["subject"], row["valid_until"], row["algorithm"])
    console().print(shown)
    console().print(line(f"root certificate to hand to others: {document['root']}"))


def doctor(as_json: AsJson = False) -> None:
    """What works on this machine, and what to install for the rest. Ends with 4 where something needed is missing."""
    from dramagate.doctor import examine_machine

    found = examine_machine()
    if as_json:
        rows = [c.to_json() for c in found]
        write_json({"schema": "dramagate/doctor@1", "checks": rows})
    else:
        from dramagate.commands.shown import console, line, plain, table

        shown = table("", "what", "found", "to do")
        for c in found:
            mark = ("ok", "green") if c.ok else ("missing", "red") if c.needed else ("not here", "yellow")
            shown.add_row(line(*mark), c.what, plain(c.found), "" if c.ok else c.remedy)
        console().print(shown)
    if any(c.needed and not c.ok for c in found):
        raise typer.Exit(4)


def bench(
    name: Annotated[str | None, typer.Argument(help="screen or cut; all where none is named.")] = None,
    as_json: AsJson = False,
) -> None:
    """The measurements of docs/benchmarks, as ratios against a floor or a peer in the same run."""
    from dramagate.bench import BENCHES, run

    if name is not None and name not in BENCHES:
        raise UsageError(f"bench {name}: there is {', '.join(sorted(BENCHES))}")
    results = run([name] if name else sorted(BENCHES), _note)
    if as_json:
        write_json({"schema": "dramagate/bench@1", "results": results})
        return
    from dramagate.commands.shown import console, table

    shown = table("measurement", "value", "unit", "baseline", "ratio", "target")
    for row in results:
        shown.add_row(*(_cell(row.get(k)) for k in ("id", "value", "unit", "baseline", "ratio", "target")))
    console().print(shown)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
