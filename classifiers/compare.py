"""Is this the same picture, the same film, the same sound? One answer for one pair of files.

Faces are compared in faces.py. Every answer is a row of `dramagate compare --json` (design.md
section 3): score in [0, 1], match yes | possible | no | unusable, and the ranges that are the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from classifiers import audio_print, pdq
from classifiers.alignment import align
from classifiers.film_print import Print, kept_print_of, without_bars
from provenance import media
from provenance.asset import digest

Row = dict[str, Any]

POSSIBLE = 64
"""Bits up to which two pictures may be the same one, heavily edited. Of the corpus's unrelated pictures the two
nearest, in any of eight orientations, are 102 bits apart; a crop of 6 % of each side is 70."""


def compare_pictures(a: Path, b: Path) -> Row:
    """Whether two pictures are one, also scaled, re-encoded, mirrored, turned or with bars.

    Unusable where a side is too plain to tell from others. Raises provenance.media.Unusable for
    files that are no pictures.
    """
    sides = [_luma64s(path) for path in (a, b)]
    for path, side in zip((a, b), sides, strict=True):
        if pdq.quality(side).max() < pdq.USABLE_QUALITY:
            return _row(a, b, 0.0, "unusable", why=f"{path.name} is too plain to tell from other pictures")
    oriented = np.concatenate(list(pdq.dihedral(pdq.spectrum(sides[0])).values()))
    nearest = int(pdq.distances(oriented, pdq.hashes(sides[1])).min())
    match = "yes" if nearest <= pdq.RADIUS else "possible" if nearest <= POSSIBLE else "no"
    return _row(a, b, max(0.0, 1 - nearest / 128), match)


def compare_videos(a: Path, b: Path) -> Row:
    """Whether a stretch of one film is in the other, and which: ranges are [a_start, a_end, b_start, b_end] in us.

    Unusable where a side holds nothing but plain frames. Raises provenance.media.Unusable.
    """
    prints = [kept_print_of(path, digest(path), None) for path in (a, b)]
    for path, shown in zip((a, b), prints, strict=True):
        if shown.plain:
            return _row(a, b, 0.0, "unusable", why=f"{path.name} holds no frame that could be told from others")
    stretches = align(*prints)
    if stretches:
        ranges = [[s.a_start_us, s.a_end_us, s.b_start_us, s.b_end_us] for s in stretches]
        return _row(a, b, max(s.score for s in stretches), "yes", ranges)
    alike = _share_alike(*prints)
    return _row(a, b, alike / 2, "possible" if alike >= 0.25 else "no")


def compare_audio(a: Path, b: Path) -> Row:
    """Whether a stretch of one recording is in the other, and which, as for films.

    Unusable for less than three seconds of sound. Raises provenance.media.Unusable.
    """
    prints = []
    for path in (a, b):
        sound = audio_print.print_of(path)
        if (why := sound.unusable) is not None:
            return _row(a, b, 0.0, "unusable", why=f"{path.name} {why}")
        prints.append(sound)
    found = audio_print.align(*prints)
    ranges = [] if found.stretch is None else [list(found.stretch)]
    return _row(a, b, found.score, found.match, ranges)


def unusable(why: str) -> Row:
    """The answer where a side could not be read at all."""
    return {"score": 0.0, "match": "unusable", "ranges": [], "why": why}


def must_be_recognisable(path: Path) -> None:
    """Raises provenance.media.Unusable where a work's picture or film could never be matched."""
    if kept_print_of(path, digest(path), None).plain:
        raise media.Unusable(
            f"{path.name} is too plain to be recognised anywhere: register another picture of the work"
        )


def _luma64s(path: Path) -> Any:
    """float32[1 or 2, 64, 64]: the whole picture, and what is inside its bars. Of a film the first frame."""
    with media.decode(path) as decoding:
        if decoding.info.width == 0:
            raise media.Unusable(f"{path.name} holds no picture: compare sound with --kind audio")
        frame = next(iter(decoding))
        whole, inside = frame.luma64(), without_bars(frame.luma())
    return np.stack([whole, inside])


def _share_alike(a: Print, b: Print) -> float:
    """Share of the kept frames of the shorter that are within the radius of some frame of the other."""
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    return float((pdq.distances(short.inner, long.inner).min(axis=1) <= pdq.RADIUS).mean())


def _row(
    a: Path, b: Path, score: float, match: str, ranges: list[list[int]] | None = None, why: str | None = None
) -> Row:
    row: Row = {"a": str(a), "b": str(b), "score": round(score, 6), "match": match, "ranges": ranges or []}
    return row if why is None else {**row, "why": why}
