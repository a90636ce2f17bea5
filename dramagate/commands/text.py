"""`dramagate text`: the text screen alone, one text per line in, one JSON line out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dramagate.commands.errors import OUTCOME_CODES, InputError, UsageError, strictest, write_json
from dramagate.commands.shown import console, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classifiers.text_screen import Hit
    from policies.verdict import Outcome

RULEBOOK = "house-default"
COLOURS = {"approve": "green", "segment": "yellow", "hold": "yellow", "reject": "red"}


def text(
    file: Annotated[str, typer.Argument(help="A UTF-8 file of one text per line, or - for standard input.")] = "-",
    lang: Annotated[str | None, typer.Option("--lang", help="zh or en: the language of every line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document per line of input.")] = False,
) -> None:
    """Screen texts, one per line: what is said against each, and what house-default makes of it."""
    if lang not in {None, "zh", "en"}:
        raise UsageError(f"--lang is {lang!r}; it must be zh or en")
    from classifiers.text_screen import TextScreen

    screen = TextScreen.load()
    on = console()
    codes = {0}
    with _opened(file) as source:
        for line in _lines(source, "standard input" if file == "-" else file):
            hits = screen.screen(line, lang)
            outcome = judge(hits)
            codes.add(OUTCOME_CODES[outcome])
            if as_json:
                write_json(_document(line, hits, outcome))
            else:
                on.print(_shown(line, hits, outcome))
    raise typer.Exit(strictest(sorted(codes)))


def judge(hits: Sequence[Hit]) -> str:
    """What house-default makes of a text with these hits: approve, segment, hold or reject."""
    if not hits:
        return "approve"
    return _judged(tuple(sorted({(hit.category, hit.score) for hit in hits})))


# ---------------------------------------------------------------- judging


_known: dict[tuple[tuple[str, float], ...], str] = {}
"""Outcomes by what was found: lines with the same categories and scores are judged once."""


def _judged(found: tuple[tuple[str, float], ...]) -> str:
    if found not in _known:
        if len(_known) > 10_000:
            _known.clear()
        _known[found] = _decided(found)
    return _known[found]


def _decided(found: tuple[tuple[str, float], ...]) -> str:
    """House-default's word on these findings alone: the rest of a submission is not known here and not asked for."""
    from classifiers.finding import Finding, Ran, Screening, Surface, millionths
    from policies.decide import decide
    from policies.facts import Facts
    from policies.rulebook import find
    from provenance.asset import AssetKind, TimeRange

    book = find(RULEBOOK)
    findings = tuple(
        Finding("text", "0", category, millionths(score), Surface.SCRIPT, TimeRange(0, 1), frames=0)
        for category, score in found
    )
    looked = tuple(Ran(name, "0", 0, 0, 0) for name in sorted(book.requires))
    facts = Facts(AssetKind.SCRIPT, 1, Screening(1, findings, ran=looked), datetime.now(UTC))
    about = {finding.id for finding in findings}
    verdict = decide([book], facts, find_path=False)
    return max((r.outcome for r in verdict.reasons if about & set(r.finding_ids)), default=_approve()).word


def _approve() -> Outcome:
    from policies.verdict import Outcome

    return Outcome.APPROVE


# ---------------------------------------------------------------- lines in and out


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    path = Path(file)
    if path.is_dir():
        raise InputError(f"{file} is a folder: name the file inside it")
    try:
        with path.open("rb") as source:
            yield source
    except OSError as wrong:
        raise InputError(f"{file} cannot be read ({wrong.strerror}): check the path") from wrong


def _lines(source: IO[bytes], name: str) -> Iterator[str]:
    """The lines of `source`, one at a time. Raises InputError at the first that is not UTF-8."""
    for number, raw in enumerate(source, 1):
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as wrong:
            raise InputError(
                f"{name}, line {number}, byte {wrong.start + 1} is not UTF-8: save the file as UTF-8 and try again"
            ) from wrong


def _document(line: str, hits: Sequence[Hit], outcome: str) -> dict[str, object]:
    return {
        "text": line,
        "findings": [
            {
                "category": hit.category,
                "score": hit.score,
                "start": hit.start,
                "end": hit.end,
                "matched": hit.matched,
                "tier": hit.tier,
                "entry": hit.entry,
            }
            for hit in hits
        ],
        "outcome": outcome,
    }


MOST_SHOWN = 500
"""Characters of a text shown to a person; all of it is in the JSON."""


def _shown(line: str, hits: Sequence[Hit], outcome: str) -> Text:
    """One line for a person, with what was found underlined. Escapes are longer than what they stand for."""
    shown = Text(f"{outcome:8}", style=COLOURS[outcome])
    line = line[:MOST_SHOWN]
    words = Text(plain(line))
    for hit in hits:
        words.stylize("bold underline", len(plain(line[: hit.start])), len(plain(line[: hit.end])))
    said = ", ".join(f"{hit.category} {hit.score:.2f}" for hit in hits[:5])
    return shown + " " + words + (Text(f"  ({said})", style="dim") if said else Text())
