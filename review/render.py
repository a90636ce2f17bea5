"""Applying a segment verdict: the compliant version of a film, changed no more than the verdict asks.

    edits -> cuts (united) | what is painted (blurs, then cards, then labels) | what falls silent
          -> provenance.edit.change: frame exact, the rest copied as it was coded

Every range is in the time of the submitted film and is applied before anything is removed. Labels and cards
stay on screen as long as the verdict asks, even where a cut takes part of their time. The AIGC metadata and
the seal are written by the caller, afterwards and in this order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from policies.verdict import Do, Edit, Words
from provenance.asset import TimeRange, merge
from provenance.edit import Changed, Picture, Touch, change
from provenance.failure import Refused
from provenance.label import TEXT, Overlay, Place, find_font
from provenance.media import MediaInfo, probe
from provenance.sound import Spliced

BLUR_CELLS, BLUR_CELLS_WHOLE = 3, 8
"""How many cells are left across the shorter side of a blurred region, and of a whole blurred picture. A line of
text keeps under 3 cells of height and a face under 3 across, where text recognition finds nothing and a face
detector no face; across a whole picture a face that fills it keeps 8. tests/review/test_render.py measures both."""


class CannotRender(Refused):
    """An edit that cannot be applied to this work. One sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of a film that was rendered."""

    path: Path
    duration_us: int
    kept: tuple[TimeRange, ...]
    """What is left, in the time of the submitted film."""
    frames_copied: int
    frames_encoded: int
    frames_removed: int
    whole: str | None
    """Why everything had to be encoded anew; None where untouched pictures were copied bit for bit."""
    sound: tuple[Spliced, ...]
    metadata_due: bool
    """Whether the verdict also asks for metadata, which the caller writes (provenance.aigc) before sealing."""


def render(
    src: Path,
    dst: Path,
    edits: Sequence[Edit],
    *,
    font: Path | None = None,
    language: str = "zh",
    metadata: Mapping[str, str] | None = None,
) -> Rendered:
    """Write `src` with `edits` applied as `dst`, which appears only when it is complete and was read back.

    Films become MP4 or MOV, sound M4A or MP4, as `suffix_for` says. Texts are shown in `language` (zh or en).
    `metadata` is added to the container's own. Raises CannotRender, and what `edit.change` and `find_font` raise
    (NothingLeft, CannotWrite, Unusable, FontMissing).
    """
    info = probe(src)
    _must_fit(src, info, edits)
    cuts = merge(edit.where for edit in edits if edit.do is Do.CUT)
    touches = [
        *_blurs(edits),
        *_overlays(edits, Do.INSERT_CARD, Place.CARD, cuts, info, font, language),
        *_overlays(edits, Do.OVERLAY_LABEL, Place.LABEL, cuts, info, font, language),
    ]
    mutes = [edit.where for edit in edits if edit.do is Do.MUTE]
    changed = change(src, dst, cuts=cuts, touches=touches, mutes=mutes, metadata=metadata)
    return _rendered(dst, changed, any(edit.do is Do.REWRITE_METADATA for edit in edits))


def suffix_for(src: Path) -> str:
    """The suffix a rendered version of `src` has to have. Raises Unusable where `src` is not media."""
    info = probe(src)
    own = src.suffix.lower()
    if info.still:
        return own if own in (".png", ".jpg", ".jpeg", ".webp") else ".png"
    if info.width == 0:
        return own if own in (".m4a", ".mp4") else ".m4a"
    return own if own in (".mp4", ".m4v", ".mov") else ".mp4"


def _rendered(dst: Path, changed: Changed, metadata_due: bool) -> Rendered:
    return Rendered(
        path=dst,
        duration_us=changed.duration_us,
        kept=changed.kept,
        frames_copied=changed.frames_copied,
        frames_encoded=changed.frames_encoded,
        frames_removed=changed.frames_removed,
        whole=changed.whole,
        sound=changed.sound,
        metadata_due=metadata_due,
    )


def _must_fit(src: Path, info: MediaInfo, edits: Sequence[Edit]) -> None:
    for edit in edits:
        if edit.do in (Do.BLUR, Do.OVERLAY_LABEL, Do.INSERT_CARD) and info.width == 0:
            raise CannotRender(f"{src.name} has no picture for {edit.rule} to {edit.do.value}; a person must decide")
        if edit.do is Do.MUTE and info.audio_codec is None:
            raise CannotRender(f"{src.name} has no sound for {edit.rule} to mute; a person must decide")
        if edit.do in (Do.CUT, Do.MUTE, Do.BLUR) and edit.where.start_us >= info.duration_us:
            raise CannotRender(
                f"{edit.rule} asks to {edit.do.value} {src.name} at {edit.where.start_us / 1e6:.3f} s, but it ends at"
                f" {info.duration_us / 1e6:.3f} s; render the file that was judged"
            )


# --- blur -----------------------------------------------------------------------------------


def _blurs(edits: Sequence[Edit]) -> list[Touch]:
    return [Touch(edit.where, _Blur(edit.region)) for edit in edits if edit.do is Do.BLUR]


@dataclass(frozen=True, slots=True)
class _Blur:
    region: tuple[float, float, float, float] | None

    def __call__(self, picture: Picture) -> None:
        x, y, w, h = self.region or (0.0, 0.0, 1.0, 1.0)
        cells = BLUR_CELLS if self.region else BLUR_CELLS_WHOLE
        height, width = picture.height, picture.width
        # Whole chroma samples, outwards: a pixel too much rather than an edge left readable.
        top, bottom = int(y * height) & ~1, min(height, (int(np.ceil((y + h) * height)) + 1) & ~1)
        left, right = int(x * width) & ~1, min(width, (int(np.ceil((x + w) * width)) + 1) & ~1)
        cell = max(8.0, min(bottom - top, right - left) / cells)
        for plane in (picture.y, picture.u, picture.v):
            down, across = height / plane.shape[0], width / plane.shape[1]
            part = plane[int(top / down) : round(bottom / down), int(left / across) : round(right / across)]
            part[...] = _smeared(part, cell / down, cell / across)


def _smeared(
    part: np.ndarray[tuple[int, int], np.dtype[np.uint8]], down: float, across: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """`part` with every cell replaced by its mean, and the means drawn into one another."""
    rows, columns = part.shape
    grid = (max(1, round(columns / across)), max(1, round(rows / down)))
    means = cv2.resize(np.ascontiguousarray(part), grid, interpolation=cv2.INTER_AREA)
    means = cv2.GaussianBlur(means, (3, 3), 0)
    smooth: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = cv2.resize(
        means, (columns, rows), interpolation=cv2.INTER_CUBIC
    ).reshape(rows, columns)
    return smooth


# --- text -----------------------------------------------------------------------------------


def _overlays(
    edits: Sequence[Edit],
    do: Do,
    place: Place,
    cuts: Sequence[TimeRange],
    info: MediaInfo,
    font: Path | None,
    language: str,
) -> list[Touch]:
    wanted = [edit for edit in edits if edit.do is do]
    if not wanted:
        return []
    face = find_font(font)
    return [
        Touch(where, Overlay(_text(edit, language), face, place))
        for edit in wanted
        if (where := _on_screen(edit.where, cuts, info.duration_us)) is not None
    ]


def _text(edit: Edit, language: str) -> str:
    words = edit.text
    if words is None and edit.do is Do.OVERLAY_LABEL:
        words = Words(TEXT["zh"], TEXT["en"])
    text = "" if words is None else words.to_json()[language]
    if not text.strip():
        raise CannotRender(f"{edit.rule} asks for a card without saying what it shows; give the edit a text")
    return text


def _on_screen(where: TimeRange, cuts: Sequence[TimeRange], duration_us: int) -> TimeRange | None:
    """`where` stretched so that as much of it is left after the cuts as the verdict asks; None where nothing can be."""
    due = where.length_us
    at = where.start_us
    for cut in cuts:
        if cut.end_us <= at:
            continue
        if cut.start_us - at >= due:
            break
        due -= max(0, cut.start_us - at)
        at = cut.end_us
    end = min(at + due, max(duration_us, 1))
    return TimeRange(where.start_us, end) if end > where.start_us else None
