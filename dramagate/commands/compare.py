"""`dramagate compare`: is this the same person, picture, film, sound?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from dramagate.commands.errors import InputError, UsageError, write_json
from provenance.failure import Unavailable

KINDS = ("face", "picture", "video", "audio", "voice")
BATCH = 64
Row = tuple[str, str, Path, Path]
"""Both names as written, both files as resolved."""


def compare(
    kind: Annotated[str, typer.Option(help="face, picture, video, audio or voice.")],
    a: Annotated[Path | None, typer.Argument(help="One file.", metavar="A", readable=False)] = None,
    b: Annotated[Path | None, typer.Argument(help="The other.", metavar="B", readable=False)] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="A TSV with the header a<TAB>b; paths absolute or relative to it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per pair.")] = False,
) -> None:
    """Say for each pair how alike the two are, whether they match, and where."""
    if kind not in KINDS:
        raise UsageError(f"--kind {kind}: it is one of {', '.join(KINDS)}")
    if (pairs is None) == (a is None and b is None) or (pairs is None and b is None):
        raise UsageError("name two files, A and B, or a list of them with --pairs FILE.tsv")
    rows = _read_pairs(pairs) if pairs is not None else [(str(a), str(b), Path(str(a)), Path(str(b)))]
    if pairs is None:
        from dramagate.local import readable

        for _, _, *sides in rows:
            for side in sides:
                readable(side)
    for row in _compared(kind, rows):
        if as_json:
            write_json(row)
        else:
            _tell(row)


def _read_pairs(path: Path) -> list[Row]:
    """Pairs of the list as written and as resolved. Every line is read before any file is opened."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: save the list as UTF-8 with tabs between the paths") from error
    header = lines[0].split("\t") if lines else []
    if header[:2] != ["a", "b"]:
        raise InputError(f"{path}:1: the header must begin with a<TAB>b; found {lines[0] if lines else 'nothing'!r}")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) < 2 or not cells[0] or not cells[1]:
            raise InputError(f"{path}:{number}: two paths with a tab between them are needed")
        rows.append((cells[0], cells[1], path.parent / cells[0], path.parent / cells[1]))
    return rows


def _compared(kind: str, rows: list[Row]) -> Iterator[dict[str, Any]]:
    """Each pair's answer, in order. Files are read in child processes that hostile bytes may crash.

    A child takes a batch, so that a file named in many pairs is read once. Where a child does not
    answer, its pairs are asked one by one, and the one that stops the child again is unusable.
    """
    if kind == "voice":
        raise Unavailable(
            "--kind voice needs a speaker-embedding model, and none is supported yet: compare with --kind audio"
        )
    from review import sandbox
    from review.settings import load

    weights = str(load().weights)

    def ask(some: list[Row]) -> list[dict[str, Any]]:
        arguments = {"kind": kind, "pairs": [[str(a.absolute()), str(b.absolute())] for _, _, a, b in some]}
        try:
            answer = sandbox.call("review.examine:compare_files", {**arguments, "weights": weights}, sandbox.Limits())
            return list(answer["rows"])
        except sandbox.Stopped as stopped:
            if len(some) == 1:
                return [{"score": 0.0, "match": "unusable", "ranges": [], "why": str(stopped)}]
            return [row for one in some for row in ask([one])]

    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        for (name_a, name_b, _, _), row in zip(batch, ask(batch), strict=True):
            yield {**row, "a": name_a, "b": name_b}


def _tell(row: dict[str, Any]) -> None:
    from dramagate.commands.shown import console, line

    ranges = "; ".join(
        f"{a0 / 1e6:.2f}-{a1 / 1e6:.2f} s = {b0 / 1e6:.2f}-{b1 / 1e6:.2f} s" for a0, a1, b0, b1 in row["ranges"]
    )
    why = f"  ({row['why']})" if row.get("why") else ""
    console().print(line(f"{row['match']:8} {row['score']:.3f}  {row['a']}  {row['b']}  {ranges}{why}".rstrip()))
