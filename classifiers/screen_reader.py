"""Every line of text a film shows, with when and where it stands; read once, followed by its pixels.

`ScreenReader.of` gives the classifiers of one pass the same reader, so that a film is read once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

import cv2
import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Context, Film, Frame, Pixels
from classifiers.finding import Region
from classifiers.ocr import FILM_SIDE, STILL_SIDE, Glyphs, Ocr, Quad, Reading, measure, straighten
from classifiers.ocr import VERSION as OCR_VERSION
from provenance.asset import TimeRange

VERSION = f"{OCR_VERSION}.1"
"""Changes whenever the same film could read differently."""

LOOK_US = 400_000
"""While the picture changes it is searched for text at least this often, so nothing shown 0.5 s escapes."""
CELL = 4.0
"""How far one cell of `luma64` must move, in levels of 255, to count as changed. Coding noise of a still
picture stays below 1; the faintest readable text moves the cells under it by 8 or more."""
SAME = 0.6
"""Correlation from which a box still holds the very line read there before: it is not read again."""
PRESENT = 0.5
"""Correlation (of the middle piece) down to which a line is taken to be on screen between two looks. Measured on
drawn subtitles over moving pictures: the same line 0.6 to 1, another line or none below 0.4."""
SURE = 0.6
"""Lines read with less confidence are dropped, and so are those below `SURE_ONCE` seen in one look only."""
SURE_ONCE = 0.85
MARGIN = 0.2
"""How much around a line is cut out with it for measuring, as a share of its height."""
MEASURED = 9
"""How many looks a line's letters are measured in; the median counts, the lower one of two."""


@dataclass(frozen=True, slots=True)
class ScreenLine:
    """One line of text as shown: a continuous run of it."""

    text: str
    where: TimeRange
    """From the first to the last frame it was seen on; never longer than it was followed."""
    region: Region
    confidence: float
    """Mean probability of its characters, of the best of its readings."""
    looks: int
    """How many searched frames showed it."""
    frames: int
    """How many frames showed it, the followed ones included."""
    glyphs: Glyphs
    height_ratio: float
    """Height of its letters over the picture's shortest side: of Chinese ink where there is some, else of the
    tallest Latin capital or ascender."""


@dataclass(slots=True, eq=False)
class _Track:
    """One line being followed."""

    quad: Quad
    box: tuple[int, int, int, int]
    """x0, y0, x1, y1 in pixels of the picture."""
    signature: NDArray[np.float32]
    reading: Reading
    glyphs: list[Glyphs]
    """One measurement for each look, up to `MEASURED` of them."""
    start_us: int
    end_us: int
    looks: int = 1
    frames: int = 1
    missed: bool = False


@dataclass(slots=True, eq=False)
class _Glance:
    """One frame, small: enough to tell whether a known line stands on it."""

    at_us: int
    until_us: int
    luma: Pixels


@dataclass(slots=True)
class ScreenReader:
    """Follows the lines of one film. Show it every frame; a frame shown twice is looked at once."""

    ocr: Ocr
    still: bool
    _index: int = -1
    _looked_at: int = -LOOK_US
    _cells: NDArray[np.float32] | None = None
    """`luma64` of the last searched frame."""
    _before: NDArray[np.float32] | None = None
    """`luma64` of the frame before."""
    _motion: float = 0.0
    """Running mean of how far one frame differs from the one before."""
    _recent: list[_Glance] = field(default_factory=list)
    """Frames since the last search or the last frame equal to it, that one first."""
    _tracks: list[_Track] = field(default_factory=list)
    _ended: list[_Track] = field(default_factory=list)
    _size: tuple[int, int] = (1, 1)
    _lines: tuple[ScreenLine, ...] | None = None
    frames_searched: int = 0
    lines_read: int = 0

    @classmethod
    def of(cls, film: Film, context: Context) -> ScreenReader:
        """The reader of this pass over `film`: whoever asks again with the same two gets the same one.

        Raises WeightsMissing where the networks are not prepared.
        """
        if not (_latest and _latest[0][0] is film and _latest[0][1] is context):
            _latest[:] = [(film, context, cls(Ocr.load(context.weights, context.device), film.duration_us <= 1))]
        return _latest[0][2]

    def see(self, frame: Frame) -> None:
        """Follow the known lines onto `frame`, and search it for new ones where it may hold some."""
        if frame.index <= self._index:
            return
        self._index = frame.index
        self._size = (frame.width, frame.height)
        cells = frame.luma64
        if self._unchanged(cells):
            self._stand(frame)
        else:
            self._recent.append(_glance(frame))
            if self._due(frame, cells):
                self._search(frame)
                self._cells = cells.copy()
        self._before = cells.copy()

    def finish(self) -> tuple[ScreenLine, ...]:
        """Every line shown, in order of time. The film has ended."""
        if self._lines is None:
            for track in self._tracks:
                self._end(track)
            self._tracks = []
            lines = [self._line(t) for t in self._ended if t.reading.text and _trusted(t, self.still)]
            self._lines = tuple(sorted(_joined(lines), key=lambda line: (line.where, line.region.y, line.region.x)))
        return self._lines

    # ------------------------------------------------------------ when to search

    def _unchanged(self, cells: NDArray[np.float32]) -> bool:
        return self._cells is not None and int((np.abs(cells - self._cells) > CELL).sum()) < 2

    def _stand(self, frame: Frame) -> None:
        """`frame` shows what the last searched one showed: every line is still there."""
        for track in self._tracks:
            track.end_us = frame.until_us
            track.frames += 1
        self._recent = [_glance(frame)]

    def _due(self, frame: Frame, cells: NDArray[np.float32]) -> bool:
        if self._before is None or self._cells is None:
            return True
        jump = float(np.abs(cells - self._before).mean())
        odd = jump > 4 and jump > 4 * self._motion
        self._motion = 0.9 * self._motion + 0.1 * jump
        return odd or frame.starts_shot or frame.until_us - self._looked_at >= LOOK_US

    # ------------------------------------------------------------ searching

    def _search(self, frame: Frame) -> None:
        self._looked_at = frame.at_us
        self.frames_searched += 1
        rgb = frame.rgb()
        now = self._recent[-1]
        left = list(self._tracks)
        kept: list[_Track] = []
        for quad in self.ocr.detect(rgb, STILL_SIDE if self.still else FILM_SIDE):
            box = _box(quad, self._size)
            if box is None:
                continue
            track = _best_overlap(box, left)
            if track is not None and self._unmoved(track, now):
                left.remove(track)
                if track.reading.text and len(track.glyphs) < MEASURED:
                    track.glyphs.append(_measured(frame, track.quad, track.reading))
                kept.append(self._confirmed(track, frame))
                continue
            found = self._read(frame, rgb, quad, box, now)
            if track is not None and _same_words(track.reading.text, found.reading.text):
                left.remove(track)
                kept.append(self._confirmed(_renewed(track, found), frame))
                continue
            self._begin(found)
            kept.append(found)
        for track in left:
            # Detection flickers: a line whose pixels still stand there may be missed in one search, not in two.
            if not track.missed and track.reading.text and self._unmoved(track, now):
                track.missed = True
                kept.append(track)
            else:
                self._end(track)
        self._tracks = kept
        self._recent = [now]

    def _read(self, frame: Frame, rgb: Pixels, quad: Quad, box: tuple[int, int, int, int], now: _Glance) -> _Track:
        self.lines_read += 1
        reading, _ = self.ocr.read(rgb, quad)
        glyphs = [_measured(frame, quad, reading)] if reading.text else []
        track = _Track(quad, box, np.zeros(0, np.float32), reading, glyphs, frame.at_us, frame.until_us)
        track.signature = _patch(now.luma, box, self._size)
        return track

    def _confirmed(self, track: _Track, frame: Frame) -> _Track:
        between = [g for g in self._recent if track.end_us < g.until_us]
        track.frames += len(between)
        track.end_us = frame.until_us
        track.looks += 1
        track.missed = False
        return track

    # ------------------------------------------------------------ exact beginnings and ends

    def _unmoved(self, track: _Track, glance: _Glance) -> bool:
        """Whether every piece of the line is what it was: then it need not be read again."""
        pieces = _pieces(track.signature, _patch(glance.luma, track.box, self._size))
        return (pieces[1] if len(pieces) > 3 else pieces[0]) >= SAME

    def _present(self, track: _Track, glance: _Glance) -> bool:
        """Whether the line can be told to stand on a frame nobody searched."""
        pieces = _pieces(track.signature, _patch(glance.luma, track.box, self._size))
        return pieces[len(pieces) // 2] >= PRESENT

    def _begin(self, track: _Track) -> None:
        """Back from the search that found it to the first frame of the run it stands on."""
        for glance in reversed(self._recent[:-1]):
            if not self._present(track, glance):
                break
            track.start_us = glance.at_us
            track.frames += 1

    def _end(self, track: _Track) -> None:
        """On from the last search that showed it to the last frame of the run it stands on."""
        for glance in self._recent:
            if glance.until_us <= track.end_us:
                continue
            if not self._present(track, glance):
                break
            track.end_us = glance.until_us
            track.frames += 1
        self._ended.append(track)

    def _line(self, track: _Track) -> ScreenLine:
        width, height = self._size
        x0, y0, x1, y1 = track.box
        glyphs = Glyphs(*(_lower_median([getattr(g, name) for g in track.glyphs]) for name in Glyphs.__slots__))
        tall = glyphs.han_px or glyphs.capital_px
        return ScreenLine(
            track.reading.text,
            TimeRange(track.start_us, max(track.end_us, track.start_us + 1)),
            Region(x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height),
            track.reading.confidence,
            track.looks,
            track.frames,
            glyphs,
            tall / min(width, height),
        )


_latest: list[tuple[Film, Context, ScreenReader]] = []
"""The pass going on in this process, if any: one film is screened at a time, and read once for all classifiers."""


def _trusted(track: _Track, still: bool) -> bool:
    sure = track.reading.confidence
    return sure >= SURE and (still or track.looks > 1 or sure >= SURE_ONCE)


def _joined(lines: Iterable[ScreenLine]) -> list[ScreenLine]:
    """Runs of the same words in the same place, less than a quarter second apart, as one."""
    joined: list[ScreenLine] = []
    for line in sorted(lines, key=lambda line: line.where):
        for at, before in enumerate(joined):
            near = line.where.start_us - before.where.end_us <= 250_000
            if near and _same_words(before.text, line.text) and _overlap(_edges(before), _edges(line)) > 0.3:
                best = max(before, line, key=lambda one: one.confidence)
                where = TimeRange(before.where.start_us, max(before.where.end_us, line.where.end_us))
                joined[at] = replace(
                    best, where=where, looks=before.looks + line.looks, frames=before.frames + line.frames
                )
                break
        else:
            joined.append(line)
    return joined


def _edges(line: ScreenLine) -> tuple[float, float, float, float]:
    r = line.region
    return r.x, r.y, r.x + r.w, r.y + r.h


def _renewed(track: _Track, found: _Track) -> _Track:
    """The old line as it looks now: its place and pixels follow, the better reading stays."""
    track.box, track.quad, track.signature = found.box, found.quad, found.signature
    track.glyphs = (track.glyphs + found.glyphs)[:MEASURED]
    if found.reading.confidence > track.reading.confidence:
        track.reading = found.reading
    return track


def _measured(frame: Frame, quad: Quad, reading: Reading) -> Glyphs:
    return measure(straighten(frame.luma(), quad, MARGIN), reading, MARGIN)


def _lower_median(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def _same_words(a: str, b: str) -> bool:
    """Whether two readings are of one line: equal, or long and differing in a fifth at most."""
    if a == b:
        return True
    if min(len(a), len(b)) < 4 or any(c.isdecimal() for c in a + b):
        return False
    return SequenceMatcher(None, a, b, autojunk=False).ratio() >= 0.8


# ---------------------------------------------------------------- pixels of a line


def _glance(frame: Frame) -> _Glance:
    luma = frame.luma()
    # About 420 px on the longest side: subtitle strokes survive, and a frame costs 0.2 ms.
    step = max(1, round(max(luma.shape) / 420))
    size = (max(1, luma.shape[1] // step), max(1, luma.shape[0] // step))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA) if step > 1 else luma.copy()
    return _Glance(frame.at_us, frame.until_us, small)


def _box(quad: Quad, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The upright rectangle around `quad`, inside the picture; None where nothing of it is."""
    x0, y0 = (int(v) for v in np.floor(quad.min(axis=0)).clip(0, size))
    x1, y1 = (int(v) for v in np.ceil(quad.max(axis=0)).clip(0, size))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _patch(luma: Pixels, box: tuple[int, int, int, int], size: tuple[int, int]) -> NDArray[np.float32]:
    """float32[16, n]: what stands in `box`, 16 rows high along its shorter side."""
    across, down = luma.shape[1] / size[0], luma.shape[0] / size[1]
    x0, x1 = int(box[0] * across), max(int(box[0] * across) + 1, round(box[2] * across))
    y0, y1 = int(box[1] * down), max(int(box[1] * down) + 1, round(box[3] * down))
    crop = luma[y0:y1, x0:x1]
    if crop.shape[0] > crop.shape[1]:
        crop = crop.T
    along = min(256, max(16, round(16 * crop.shape[1] / crop.shape[0])))
    patch = cv2.resize(np.ascontiguousarray(crop), (along, 16), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, np.float32)


def _pieces(a: NDArray[np.float32], b: NDArray[np.float32]) -> list[float]:
    """How alike two patches of one box are, piece by piece two letters long, worst first; -1 to 1 each.

    Brightness and contrast do not count, so a line that fades in is the line it will be.
    """
    if a.shape != b.shape:
        return [-1.0]
    count = max(1, a.shape[1] // 32)
    pairs = zip(np.array_split(a, count, axis=1), np.array_split(b, count, axis=1), strict=True)
    return sorted(_alike(p, q) for p, q in pairs)


def _alike(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    # Below 2 levels of spread there is nothing drawn; two empty pieces are alike.
    flat = 2.0 * a.size
    if spread < flat * 2.0:
        return 1.0 if float((a * a).sum()) < flat * 2 and float((b * b).sum()) < flat * 2 else 0.0
    return float((a * b).sum()) / spread


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Shared area over united area of two boxes."""
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = across * down
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _best_overlap(box: tuple[int, int, int, int], tracks: list[_Track]) -> _Track | None:
    shared = [(track, _overlap(box, track.box)) for track in tracks]
    best = max(shared, key=lambda pair: pair[1], default=None)
    return best[0] if best is not None and best[1] >= 0.4 else None
