"""`dramagate registry`: persons and consents, works and licences."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dramagate.commands.errors import InputError, UsageError, write_json

registry = typer.Typer(
    help="Persons and consents, works and licences that findings are matched against.", no_args_is_help=True
)

Folder = Annotated[
    Path | None, typer.Option("--registry", help="The registry folder; this machine's own where not given.")
]


@registry.command("add")
def add(
    what: Annotated[
        str, typer.Argument(help="person:ID, work:ID, or a JSON file with one record.", metavar="ID|RECORD.json")
    ],
    kind: Annotated[
        str | None, typer.Option(help="For a person private, public_figure, ...; for a work film, music, ...")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The person's name, or the work's title.")] = None,
    file: Annotated[list[Path] | None, typer.Option(help="Photo of the person, or file of the work.")] = None,
    voice: Annotated[list[Path] | None, typer.Option(help="Recording of the person's voice.")] = None,
    folder: Folder = None,
) -> None:
    """Add one record; its reference files are looked at and copied in. All or nothing."""
    from provenance import registry as records

    root = _root(folder)
    for path in [*(file or ()), *(voice or ())]:
        if not path.is_file():
            raise InputError(f"{path} is not a file: check the path")
    if what.startswith("person:"):
        if not file and not voice:
            raise UsageError(f"{what}: give at least one photo with --file, or a recording with --voice")
        _must_be_usable("person", file or [])
        names = {"en" if (name or "").isascii() else "zh": name} if name else {}
        where = records.add_person(
            root, what, kind=kind or "private", names=names, photos=file or (), voices=voice or ()
        )
    elif what.startswith("work:"):
        if not file:
            raise UsageError(f"{what}: give the work's own files with --file")
        _must_be_usable("work", file)
        where = records.add_work(root, what, kind=kind or "film", title=name or what.removeprefix("work:"), files=file)
    else:
        where = _add_record(root, Path(what), kind)
    sys.stderr.write(f"added: {where}\n")


def _add_record(root: Path, path: Path, kind: str | None) -> Path:
    from provenance import registry as records

    if not path.is_file():
        raise InputError(f"{path} is neither person:ID nor work:ID nor a file with a record: check it")
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    folder = kind or _folder_of(record, path)
    if folder in ("person", "persons", "work", "works"):
        part = "person" if folder.startswith("person") else "work"
        named = [path.parent / str(r.get("path", "")) for r in record.get("references") or () if isinstance(r, dict)]
        _must_be_usable(part, [f for f in named if f.is_file()])
    return records.add_record(root, folder, record, base=path.parent)


def _folder_of(record: Any, path: Path) -> str:
    """Which kind of record it is, by its id or by fields only that kind has."""
    if isinstance(record, dict):
        prefix = str(record.get("id", "")).partition(":")[0]
        by_prefix = {"person": "persons", "work": "works", "series": "series", "neg": "negatives"}
        if prefix in by_prefix:
            return by_prefix[prefix]
        if "attribute" in record and "grantor" in record:
            return "consents"
        if "basis" in record and "grantor_chain" in record:
            return "licences"
    raise InputError(f"{path}: say what it is with --kind person, consent, work, licence, series or negative")


def _must_be_usable(part: str, files: list[Path]) -> None:
    """Refuse, before anything is stored, a photo without one clear face or a picture too plain to be recognised."""
    from review import sandbox
    from review.settings import load

    if files:
        arguments = {"part": part, "files": [str(f.absolute()) for f in files], "weights": str(load().weights)}
        sandbox.call("review.examine:enrolable", arguments, sandbox.Limits())


@registry.command("list")
def list_(
    folder: Folder = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Every record: its kind, id, title, and how many reference files it has."""
    from provenance import registry as records

    root = _root(folder)
    if folder is not None and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; name a registry, or make one with `dramagate registry add`")
    rows = records.list_records(root) if root.is_dir() else []
    if as_json:
        document = {"schema": "dramagate/registry@1", "root": str(root), "records": rows}
        write_json(document)
        return
    from dramagate.commands.shown import console, plain, table

    shown = table("kind", "id", "title", "files", title=str(root))
    for row in rows:
        shown.add_row(row["kind"], plain(row["id"]), plain(row["title"]), str(row["references"]))
    console().print(shown)


@registry.command("remove")
def remove(what: Annotated[str, typer.Argument(help="Id of the record.")], folder: Folder = None) -> None:
    """Delete a record and those of its reference files that no other record names."""
    from provenance import registry as records

    root = _root(folder)
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; name a registry, or make one with `dramagate registry add`")
    records.remove(root, what)
    sys.stderr.write(f"removed: {what}\n")


def _root(folder: Path | None) -> Path:
    from review.settings import load

    settings = load()
    return folder or settings.registry_root or settings.home / "registry"
