"""`dramagate check`: review local files with no server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dramagate.commands.errors import OUTCOME_CODES, UNUSABLE, InputError, UsageError, complain, exit_code_of, strictest

if TYPE_CHECKING:
    from review.pipeline import Decision


def check(
    file: Annotated[
        list[Path], typer.Argument(help="Episode, shot, image, audio, script or storyboard.", metavar="FILE...")
    ],
    papers: Annotated[
        Path | None, typer.Option(help="The episode's papers (episode.schema.json).", metavar="P.json")
    ] = None,
    gate: Annotated[str | None, typer.Option(help="prescreen or publish; the papers' own where not given.")] = None,
    territory: Annotated[list[str] | None, typer.Option(help="CN, EU, US-CA ...; may be given several times.")] = None,
    rulebook: Annotated[
        list[str] | None, typer.Option(help="Rulebook name or file, in place of the territories' own.")
    ] = None,
    registry: Annotated[Path | None, typer.Option(help="Directory of persons, consents, works and licences.")] = None,
    trust: Annotated[
        list[Path] | None, typer.Option(help="PEM file of roots to trust beside this machine's own.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a self-contained HTML report, and the rendered cut, here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document per file on standard output.")] = False,
) -> None:
    """Approve, segment, hold or reject: the verdict on each FILE, with reasons and timeline."""
    from dramagate import local

    if gate not in (None, "prescreen", "publish"):
        raise UsageError(f"--gate {gate}: it is prescreen or publish")
    if papers is not None and len(file) > 1:
        raise UsageError("--papers describes one episode: check several files without it, or one by one")
    workplace = local.open_workplace(trust or (), progress=_progress_bar(as_json))
    books = workplace.rulebooks(tuple(rulebook or ()), tuple(territory or ()))
    codes = []
    for path in file:
        try:
            decision = workplace.review(
                path, papers=papers, gate=gate, territories=tuple(territory or ()), rulebooks=books, registry=registry
            )
        except Exception as error:
            if (code := exit_code_of(error)) is None or (code != UNUSABLE and len(file) == 1):
                raise
            _unusable(path, error, as_json)
            codes.append(code)
            continue
        document = decision.to_json()
        if report is not None:
            document["report"] = str(_write_report(report, decision, document, workplace, path))
        if as_json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        else:
            _tell(document)
        codes.append(OUTCOME_CODES[document["outcome"]])
    raise typer.Exit(strictest(codes))


def _unusable(path: Path, error: Exception, as_json: bool) -> None:
    complain(str(error))
    if as_json:
        sys.stdout.write(json.dumps({"schema": "dramagate/check@1", "file": str(path), "error": str(error)}) + "\n")


def _progress_bar(as_json: bool) -> Any:
    """A progress bar on standard error, shown on a terminal only and after two seconds."""
    if as_json or not sys.stderr.isatty():
        return None
    import time

    from rich.console import Console
    from rich.progress import Progress

    started, bar = time.monotonic(), Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("looking", total=None)

    def show(done: int, total: int) -> None:
        if time.monotonic() - started > 2:
            bar.start()
        bar.update(task, completed=done, total=total or None)
        if total and done >= total:
            bar.stop()

    return show


def _write_report(folder: Path, decision: Decision, document: dict[str, Any], workplace: Any, path: Path) -> Path:
    from review.report import write_report

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--report {folder}: {error.strerror}; name a folder that can be written") from error
    rendered = workplace.released_path(decision) if document["outcome"] == "segment" else None
    written: Path = write_report(folder, document, media=path, rendered=rendered)
    (folder / f"{path.stem}.verdict.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
    return written


def _tell(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    colours = {"approve": "bold green", "segment": "bold yellow", "hold": "bold magenta", "reject": "bold red"}
    outcome = document["outcome"]
    console.print(Text(document["file"], style="bold"), Text(outcome, style=colours[outcome]))
    for reason in document["verdict"]["reasons"]:
        ranges = ", ".join(f"{s / 1e6:.2f}-{e / 1e6:.2f} s" for s, e in reason["ranges"][:4])
        console.print(Text(f"  {reason['outcome']:8} {reason['rule']}  {ranges}", style=colours[reason["outcome"]]))
        console.print(Text(f"           {reason['explanation']['zh']}"))
        console.print(Text(f"           {reason['explanation']['en']}", style="dim"))
    if document["verdict"]["edits"]:
        table = Table("edit", "from", "to", "rule", title="what is changed", title_justify="left")
        for edit in document["verdict"]["edits"]:
            table.add_row(edit["do"], f"{edit['start_us'] / 1e6:.3f} s", f"{edit['end_us'] / 1e6:.3f} s", edit["rule"])
        console.print(table)
    for obligation in document["verdict"]["obligations"]:
        console.print(Text(f"  still owed: {obligation['what']['zh']} / {obligation['what']['en']}"))
    seal = document["provenance"]
    console.print(Text(f"  seal: {seal['seal']}, AI disclosure: {seal['ai_disclosure']}", style="dim"))
    if document["verdict"]["not_checked"]:
        console.print(Text("  not checked: " + ", ".join(document["verdict"]["not_checked"]), style="dim"))
