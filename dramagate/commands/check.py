"""`dramagate check`: review local files with no server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dramagate.commands.errors import (
    OUTCOME_CODES,
    USAGE,
    UsageError,
    complain,
    exit_code_of,
    sentence_of,
    strictest,
    write_json,
)

if TYPE_CHECKING:
    from dramagate.local import Workplace
    from review.pipeline import Decision

MOST_SEEN = 20
"""Findings shown on a terminal; all of them are in the JSON and in the report."""


def check(
    file: Annotated[
        list[Path],
        typer.Argument(help="Episode, shot, image, audio, script or storyboard.", metavar="FILE", readable=False),
    ],
    papers: Annotated[
        Path | None, typer.Option(help="The episode's papers (episode.schema.json).", metavar="P.json")
    ] = None,
    gate: Annotated[str | None, typer.Option(help="prescreen or publish; the papers' own where not given.")] = None,
    territory: Annotated[
        list[str] | None, typer.Option(help="Whose law judges, such as CN; `rules list` names them.")
    ] = None,
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
    with _progress_bar() as progress, _folder_for(report):
        workplace = local.open_workplace(trust or (), progress=progress)
        books = workplace.rulebooks(tuple(rulebook or ()), tuple(territory or ()))
        workplace.readable_registry(registry)
        codes = []
        for path in file:
            try:
                decision = workplace.review(
                    path,
                    papers=papers,
                    gate=gate,
                    territories=tuple(territory or ()),
                    rulebooks=books,
                    registry=registry,
                )
            except Exception as error:
                # What is wrong with the machine or the command is wrong for every file; the rest is this file's.
                if (code := exit_code_of(error)) is None or code == USAGE:
                    raise
                _unusable(path, sentence_of(error), as_json)
                codes.append(code)
                continue
            document = decision.to_json()
            if report is not None:
                document["report"] = str(_write_report(report, decision, document, workplace, path))
            document["file"] = str(path)
            if as_json:
                write_json(document)
            else:
                _tell(document)
            codes.append(OUTCOME_CODES[document["outcome"]])
    raise typer.Exit(strictest(codes))


def _unusable(path: Path, sentence: str, as_json: bool) -> None:
    complain(sentence)
    if as_json:
        write_json({"schema": "dramagate/check@1", "file": str(path), "error": sentence})


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error, shown on a terminal only and after two seconds."""
    if not sys.stderr.isatty():
        yield None
        return
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

    try:
        yield show
    finally:
        bar.stop()


@contextmanager
def _folder_for(report: Path | None) -> Iterator[None]:
    """The folder of --report, known to be there before the long work begins; gone again where nothing came of it."""
    if report is None:
        yield
        return
    missing = [folder for folder in (report, *report.parents) if not folder.exists()]
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "is a file" if report.is_file() else error.strerror
        raise UsageError(f"--report {report}: {why}; name a folder that can be written") from error
    try:
        yield
    finally:
        for folder in missing:
            if any(folder.iterdir()):
                break
            folder.rmdir()


def _write_report(folder: Path, decision: Decision, document: dict[str, Any], workplace: Workplace, path: Path) -> Path:
    """Write the page, the rendered cut and the verdict as JSON into `folder`; where the page lies."""
    from provenance.files import replacing
    from review.report import write_report

    rendered = workplace.released_path(decision) if document["outcome"] == "segment" else None
    written = write_report(folder, document, media=path, rendered=rendered)
    # Beside the page of another file lies another verdict, even where both films have one name.
    apart = written.stem.removeprefix("report")
    with replacing(folder / f"{path.stem}{apart}.verdict.json") as fresh:
        fresh.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8", "backslashreplace")
    return written


def _tell(document: dict[str, Any]) -> None:
    """The document as a person reads it: verdict, reasons, what is changed, what was seen, what to do."""
    from dramagate.commands.shown import console, line, table

    on = console()
    colours = {"approve": "bold green", "segment": "bold yellow", "hold": "bold magenta", "reject": "bold red"}
    outcome, verdict = document["outcome"], document["verdict"]
    on.print(line(document["file"], "bold"), line(outcome, colours[outcome]))
    for words, reasons in _by_explanation(verdict["reasons"]).items():
        ranges = ", ".join(f"{s / 1e6:.2f}-{e / 1e6:.2f} s" for s, e in reasons[0]["ranges"][:4])
        rules = ", ".join(dict.fromkeys(r["rule"] for r in reasons))
        on.print(line(f"  {reasons[0]['outcome']:8} {rules}  {ranges}".rstrip(), colours[reasons[0]["outcome"]]))
        on.print(line(f"           {words[1]}"))
        on.print(line(f"           {words[2]}", "dim"))
    if verdict["edits"]:
        edits = table("edit", "from", "to", "rule", title="what is changed")
        for edit in verdict["edits"]:
            edits.add_row(edit["do"], _seconds(edit["start_us"]), _seconds(edit["end_us"]), edit["rule"])
        on.print(edits)
    said, rest = _worth_showing(document)
    if said:
        found = table("seen", "from", "to", "score", "what", "by", title="timeline")
        for f in said:
            about = line(f.get("subject") or f.get("work") or f.get("text") or "")
            times = (_seconds(f["start_us"]), _seconds(f["end_us"]), f"{f['score']:.2f}")
            found.add_row(f["category"], *times, about, f["classifier"])
        on.print(found)
    if rest:
        on.print(line(f"  seen besides: {rest}; --json and --report show all", "dim"))
    if verdict["audience"]:
        on.print(line(f"  audience: {json.dumps(verdict['audience'], ensure_ascii=False)}"))
    for obligation in verdict["obligations"]:
        on.print(line(f"  still owed: {obligation['what']['zh']} / {obligation['what']['en']}"))
    for step in verdict["path_to_approval"]:
        on.print(line(f"  to be approved: {step['what']['zh']} / {step['what']['en']}"))
    seal = document["provenance"]
    on.print(line(f"  seal: {seal['seal']}, AI disclosure: {seal['ai_disclosure']}", "dim"))
    if verdict["not_checked"]:
        on.print(line("  not checked: " + ", ".join(verdict["not_checked"]), "dim"))
    if "report" in document:
        on.print(line(f"  report: {document['report']}", "dim"))


def _by_explanation(reasons: list[dict[str, Any]]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """Reasons in their order, those together that say the same: one fact that is missing may hold up many rules."""
    together: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for reason in reasons:
        said = (reason["outcome"], reason["explanation"]["zh"], reason["explanation"]["en"])
        together.setdefault(said, []).append(reason)
    return together


def _worth_showing(document: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """What counts against the file or stands behind a reason, in order of time, and how many findings are left."""
    from policies.taxonomy import Polarity, taxonomy

    verdict, found = document["verdict"], document["screening"]["findings"]
    cited = {i for reason in (*verdict["reasons"], *verdict["advisories"]) for i in reason["finding_ids"]}
    shown = [f for f in found if f["id"] in cited or taxonomy().polarity(f["category"]) is Polarity.ADVERSE]
    shown.sort(key=lambda f: (f["start_us"], f["end_us"], f["category"]))
    return shown[:MOST_SEEN], len(found) - len(shown[:MOST_SEEN])


def _seconds(us: int) -> str:
    return f"{us / 1e6:.3f} s"
