"""Which frames are worth a model's time: the promise every NOVEL classifier may rely on.

Shown to a model is every frame that

1. starts a shot,
2. holds for one frame something that was there neither before nor after it (a flash, one odd frame),
3. is the second frame of something that popped up and stays (an inset, a caption, a sticker),
4. or would otherwise leave a stretch of `MAX_UNSEEN_US` or more in which no model looked.

So whatever is on screen for half a second is seen by every model, and so is a single odd frame
between two others. What counts as something is a change of one cell of a 64x64 grid by `CELL` grey
levels, or of a 32x32 grid by `COLOUR`, that things moving about by up to `REACH` cells do not
explain: a cell is explained by movement where its value lies between the least and the greatest
nearby in the frame before (and after). Where nothing moves nearby, no such allowance is made.
Rules 2 and 3 skip what was examined shortly before in much the same place: a light that flickers
between two states is looked at in both states, and a mouth that opens and closes in some of its
shapes, not in every frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.media import RawFrame

MAX_UNSEEN_US = 400_000
"""Longest stretch without an examined frame; anything shown for 0.5 s spans more than it."""
CELL = 20.0
"""Grey levels by which one cell of the 64x64 grid must change to be something new. A cell averages 11x20 pixels
of a 720x1280 film, which takes film grain and coding noise at crf 23 to under 3 levels; a caption's stroke or an
inset of 4 % of the width changes a cell by 40 and more."""
COLOUR = 24.0
"""The same for the colour differences in a 32x32 grid."""
REACH = 4
"""Cells (a sixteenth of the picture) that things may move in one frame and still be the same things."""
TEXTURE = 0.25
"""Share of the contrast nearby by which a cell of something finer than a cell (moving text) may swing beyond it."""
REMEMBERED = 12
"""How many examined looks are remembered as seen..."""
NEARBY = 2
"""...and by how many cells what is seen again may have moved."""


_AROUND = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
Cells = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """The cheap view of one frame: luma and colour, area-averaged."""

    planes: tuple[Cells, ...]
    """Luma 64x64, then both colour differences 32x32, scaled so that `CELL` is the threshold of each."""

    @classmethod
    def of(cls, frame: RawFrame) -> Look:
        """Made for every frame of a film."""
        blue, red = frame.chroma32() * np.float32(CELL / COLOUR)
        return cls((frame.luma64(), blue, red))

    @property
    def luma(self) -> Cells:
        """float32[64, 64], 0..255."""
        return self.planes[0]

    @cached_property
    def least(self) -> tuple[Cells, ...]:
        """Per cell the least value within `REACH` cells."""
        return tuple(np.asarray(cv2.erode(p, _AROUND), np.float32) for p in self.planes)

    @cached_property
    def greatest(self) -> tuple[Cells, ...]:
        """Per cell the greatest value within `REACH` cells."""
        return tuple(np.asarray(cv2.dilate(p, _AROUND), np.float32) for p in self.planes)

    def differs(self, other: Look) -> bool:
        """Whether any cell is another."""
        return any(float(np.abs(a - b).max()) > CELL for a, b in zip(self.planes, other.planes, strict=True))

    def news(self, *others: Look) -> list[NDArray[np.bool_]]:
        """Per plane, the cells beyond what is near them in any of `others`."""
        found = []
        for n, plane in enumerate(self.planes):
            least = np.minimum.reduce([o.least[n] for o in others])
            greatest = np.maximum.reduce([o.greatest[n] for o in others])
            beyond = np.maximum(plane - greatest, least - plane)
            found.append(beyond > CELL + TEXTURE * (greatest - least))
        return found

    def shows(self, cells: Sequence[NDArray[np.bool_]], in_other: Look) -> bool:
        """Whether `in_other` shows the same within `NEARBY` cells of the rectangle around `cells`."""
        box = _around(cells)
        return box is None or all(
            _found_near(mine, theirs, box if mine.shape[0] == 64 else _halved(box))
            for mine, theirs in zip(self.planes, in_other.planes, strict=True)
        )


class Timed(Protocol):
    """What has a time: a decoded frame."""

    at_us: int
    until_us: int


class Novelty:
    """Says of each frame, in order, whether the models should see it."""

    def __init__(self) -> None:
        self._seen: deque[Look] = deque(maxlen=REMEMBERED)
        self._unseen_since_us: int | None = None
        self._last: deque[Look] = deque(maxlen=2)
        """The frames before the one asked about, newest last."""

    def wants(self, frame: Timed, look: Look, after: Look | None, *, starts_shot: bool) -> bool:
        """(The rules of the module's docstring, by number.) Call once per frame, in order."""
        since_us = frame.at_us if self._unseen_since_us is None else self._unseen_since_us
        wanted = (
            starts_shot  # 1
            or frame.until_us - since_us >= MAX_UNSEEN_US  # 4
            or self._unseen(look, self._odd(look, after))  # 2
            or self._unseen(look, self._popped_up(look))  # 3
        )
        if wanted:
            self._seen.append(look)
            self._unseen_since_us = None
        else:
            self._unseen_since_us = since_us
        self._last.append(look)
        return wanted

    def _unseen(self, look: Look, cells: list[NDArray[np.bool_]]) -> bool:
        """Whether there are such cells, and nothing examined lately shows the same there."""
        return any(c.any() for c in cells) and not any(look.shows(cells, seen) for seen in self._seen)

    def _odd(self, look: Look, after: Look | None) -> list[NDArray[np.bool_]]:
        """Cells that differ from both neighbours while these agree with each other, or are new to both."""
        if not self._last:
            return [np.ones_like(p, np.bool_) for p in look.planes]
        before = self._last[-1]
        if not look.differs(before):
            return []
        if after is None:
            return look.news(before)
        return [a | b for a, b in zip(look.news(before, after), _alone_in_stillness(look, before, after), strict=True)]

    def _popped_up(self, look: Look) -> list[NDArray[np.bool_]]:
        """Cells in which the frame before held something new and this one, with nothing new to it, still does."""
        if len(self._last) < 2:
            return []
        earlier, before = self._last
        if not before.differs(earlier) or (look.differs(before) and any(c.any() for c in look.news(before))):
            return []
        return [then & now for then, now in zip(before.news(earlier), look.news(earlier), strict=True)]


def _alone_in_stillness(look: Look, before: Look, after: Look) -> list[NDArray[np.bool_]]:
    found = []
    for here, old, new in zip(look.planes, before.planes, after.planes, strict=True):
        alone = np.minimum(np.abs(here - old), np.abs(here - new)) > CELL
        if alone.any():
            moved = cv2.dilate(np.abs(old - new), _AROUND)
            alone = np.minimum(np.abs(here - old), np.abs(here - new)) - moved > CELL
        found.append(alone)
    return found


Box = tuple[int, int, int, int]


def _around(cells: Sequence[NDArray[np.bool_]]) -> Box | None:
    """(top, bottom, left, right) of the rectangle around all cells, one wider, in the 64x64 grid."""
    boxes = []
    for plane in cells:
        rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
        if len(rows):
            scale = 64 // plane.shape[0]
            boxes.append((rows[0] * scale, (rows[-1] + 1) * scale, columns[0] * scale, (columns[-1] + 1) * scale))
    if not boxes:
        return None
    top, bottom, left, right = zip(*boxes, strict=True)
    return max(0, min(top) - 1), min(64, max(bottom) + 1), max(0, min(left) - 1), min(64, max(right) + 1)


def _halved(box: Box) -> Box:
    top, bottom, left, right = box
    return top // 2, -(-bottom // 2), left // 2, -(-right // 2)


def _found_near(mine: Cells, theirs: Cells, box: Box) -> bool:
    """Whether the rectangle of `mine` is in `theirs`, no cell off by more than `CELL`, within `NEARBY` cells."""
    top, bottom, left, right = box
    patch, side = mine[top:bottom, left:right], mine.shape[0]
    for dy in range(max(-NEARBY, -top), min(NEARBY, side - bottom) + 1):
        for dx in range(max(-NEARBY, -left), min(NEARBY, side - right) + 1):
            there = theirs[top + dy : bottom + dy, left + dx : right + dx]
            if np.abs(patch - there).max() <= CELL:
                return True
    return False


class ScreenFrame:
    """A decoded frame as classifiers see it (`classifiers.classifier.Frame`)."""

    __slots__ = ("_raw", "at_us", "height", "index", "luma64", "shot", "starts_shot", "until_us", "width")

    def __init__(self, raw: RawFrame, look: Look, shot: int, *, starts_shot: bool) -> None:
        self._raw = raw
        self.index = raw.index
        self.at_us = raw.at_us
        self.until_us = raw.until_us
        self.width = raw.width
        self.height = raw.height
        self.shot = shot
        self.starts_shot = starts_shot
        self.luma64 = look.luma

    def luma(self) -> NDArray[np.uint8]:
        """uint8[height, width]: the luma plane, full range."""
        return self._raw.luma()

    def rgb(self) -> NDArray[np.uint8]:
        """uint8[height, width, 3], converted once and shared: do not write."""
        return self._raw.rgb()
