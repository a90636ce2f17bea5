"""`dramagate inspect`, `sign`, `label` and `render`: one file in, a report or one file out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dramagate.commands.errors import UNUSABLE, InputError, UsageError, write_json

Out = Annotated[Path, typer.Option("--out", help="Where to write; the source is never touched.", metavar="F")]


def inspect(
    file: Annotated[Path, typer.Argument(help="Film, picture, sound or text.", metavar="FILE", readable=False)],
    trust: Annotated[
        list[Path] | None, typer.Option(help="PEM file of roots to trust beside this machine's own.")
    ] = None,
    ekus: Annotated[
        Path | None, typer.Option(help="File of further accepted key usages, one dotted OID per line.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The provenance object of `check --json`.")] = False,
) -> None:
    """Say where FILE comes from: its seal and chain, AI disclosure, AIGC label, and what is wrong with them."""
    from dramagate.local import readable, trusted
    from provenance.keys import development
    from review import sandbox
    from review.examine import trust_json
    from review.settings import load

    readable(file)
    believed = trusted(development(load().home), trust or ())
    if ekus is not None:
        believed = believed.with_ekus(ekus)
    arguments = {"path": str(file.absolute()), "trust": trust_json(believed), "sidecar": None}
    try:
        report = sandbox.call("review.examine:verify", arguments, sandbox.Limits(wall_s=120))
    except sandbox.Stopped as stopped:
        raise InputError(f"{file} cannot be inspected: {stopped}") from stopped
    if as_json:
        write_json(report)
    else:
        _tell(file, report)
    if any(problem["code"] == "file.malformed" for problem in report["problems"]):
        raise typer.Exit(UNUSABLE)


def _tell(file: Path, report: dict[str, Any]) -> None:
    from rich.tree import Tree

    from dramagate.commands.shown import console, line

    on = console()
    on.print(line(f"{file.name}: seal {report['seal']}, AI disclosure {report['ai_disclosure']}", "bold"))
    if report["trust_list"]:
        on.print(line(f"  signed by {report['signer']}, vouched for by {report['trust_list']}"))
    for problem in report["problems"]:
        on.print(line(f"  {problem['code']}: {problem['en']}", "yellow"))
        on.print(line(f"  {problem['zh']}", "yellow"))
    if report["aigc"]:
        label = report["aigc"]
        conforming = "conforming" if label["conforming"] else "not conforming"
        on.print(
            line(f"  AIGC label ({label['carrier']}, {conforming}): {json.dumps(label['fields'], ensure_ascii=False)}")
        )
    for trace in report["generators"]:
        on.print(line(f"  declared, unverified: {trace}"))
    if report["chain"]:
        tree = Tree("chain, outermost first")
        for link in report["chain"]:
            role, name = link["relationship"] or "active", link["title"] or link["manifest"]
            tree.add(line(f"{role}: {name} ({link['state']}), by {link['signer']}")).add(
                line(", ".join(link["actions"]))
            )
        on.print(tree)


def sign(
    file: Annotated[Path, typer.Argument(help="Film, picture, sound or text.", metavar="FILE", readable=False)],
    out: Out,
    parent: Annotated[list[Path] | None, typer.Option(help="The file this is a version of, or was made from.")] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(help="What was done: created=trainedAlgorithmicMedia, trimmed, dubbed ... (docs/provenance.md)."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title in the manifest; the file's name where not given.")] = None,
) -> None:
    """Seal FILE as F with this machine's generator key: verified before F appears."""
    from dramagate.local import readable, writable
    from provenance.keys import development
    from provenance.sign import Action, Ingredient, SignError
    from provenance.sign import sign as seal
    from review.settings import load
    from review.submission import kind_of

    for path in (file, *(parent or ())):
        readable(path)
    writable(out, file, *(parent or ()))
    keys = development(load().home)
    made_from = list(parent or ())
    ingredients = [Ingredient(path, "parentOf", "parent", title=path.name) for path in made_from[:1]]
    ingredients += [
        Ingredient(path, "componentOf", f"component-{number}", title=path.name)
        for number, path in enumerate(made_from[1:], 1)
    ]
    try:
        actions = [Action.parse(text) for text in action or ()]
    except SignError as wrong:
        raise UsageError(f"--action: {wrong}") from wrong
    if not actions and not ingredients:
        raise UsageError(
            "say how the file came to be, for example --action created=trainedAlgorithmicMedia, or name its --parent"
        )
    signed = seal(
        file,
        out,
        kind=kind_of(file, None),
        identity=keys.identity("generator"),
        trust=keys.trust(),
        title=title or file.name,
        actions=actions,
        ingredients=ingredients,
    )
    beside = f", its manifest in {signed.sidecar}" if signed.sidecar else ""
    sys.stderr.write(f"sealed: {out}{beside}\n")


def label(
    file: Annotated[Path, typer.Argument(help="Film, picture, sound or text.", metavar="FILE", readable=False)],
    out: Out,
    text: Annotated[bool, typer.Option("--text", help="Also burn the visible label into the picture.")] = False,
    producer: Annotated[
        str, typer.Option(help="Who made it, as a code of printable ASCII (ContentProducer).")
    ] = "DRAMAGATE",
    produce_id: Annotated[
        str | None, typer.Option(help="Your id of the content; a digest of the file where not given.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the visible label: zh or en.")] = "zh",
) -> None:
    """Write the implicit AIGC label of GB 45438-2025 into FILE, and the visible one with --text. Seal it afterwards."""
    import tempfile

    from dramagate.local import readable, writable
    from provenance import aigc
    from provenance.asset import digest
    from provenance.label import TEXT, burn_in
    from review.settings import load

    readable(file)
    if language not in TEXT:
        raise UsageError(f"--language {language}: it is one of {', '.join(TEXT)}")
    writable(out, file)
    try:
        implicit = aigc.Label.first(producer, produce_id or digest(file)[:32])
    except aigc.LabelError as wrong:
        raise UsageError(f"--producer and --produce-id: {wrong}") from wrong
    settings = load()
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        source = file
        if text:
            source = Path(folder) / f"burned{file.suffix}"
            burn_in(file, source, TEXT[language], font=settings.font)
        aigc.write(source, out, implicit)
    sys.stderr.write(
        f"labelled: {out} (a seal comes after the label: dramagate sign {out} --parent {file} --out ...)\n"
    )


def render(
    file: Annotated[Path, typer.Argument(help="Film, picture, sound or text.", metavar="FILE", readable=False)],
    out: Out,
    verdict: Annotated[Path, typer.Option(help="The document of `check --json`, or its verdict.", metavar="V.json")],
) -> None:
    """Apply the edits of a segment verdict to FILE. The result is neither screened nor sealed: `check` does both."""
    from dramagate.local import readable, writable
    from policies.verdict import Edit
    from review import sandbox
    from review.settings import load

    readable(file)
    readable(verdict)
    writable(out, file, verdict)
    try:
        document = json.loads(verdict.read_text("utf-8-sig"))
        edits = document.get("verdict", document)["edits"]
        for edit in edits:
            Edit.from_json(edit)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{verdict} holds no edits: give the output of dramagate check --json ({error})") from error
    if not edits:
        raise InputError(f"{verdict} asks for no edits: there is nothing to render")
    font = load().font
    arguments = {
        "path": str(file.absolute()),
        "made": str(out.absolute()),
        "edits": edits,
        "font": str(font) if font else None,
    }
    try:
        made = sandbox.call("review.examine:render_file", arguments, sandbox.Limits())["made"]
    except sandbox.Stopped as stopped:
        raise InputError(f"{file} cannot be rendered: {stopped}") from stopped
    sys.stderr.write(f"rendered: {made}\n")
