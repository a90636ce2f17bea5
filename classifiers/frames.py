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
Rules 2 and 3 skip what was examined shortly before: a light that flickers between two states is
looked at in both states, not in every frame.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property

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
REMEMBERED = 6
"""How many examined looks are remembered as seen."""


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
        """Whether any cell shows something else."""
        return any(_most(np.abs(a - b)) > CELL for a, b in zip(self.planes, other.planes, strict=True))

    def holds_new(self, *others: Look) -> bool:
        """Whether some cell is beyond what is near it in any of `others`."""
        for n, plane in enumerate(self.planes):
            least = np.minimum.reduce([o.least[n] for o in others])
            greatest = np.maximum.reduce([o.greatest[n] for o in others])
            if _most(np.maximum(plane - greatest, least - plane)) > CELL:
                return True
        return False


class Novelty:
    """Says of each frame, in order, whether the models should see it."""

    def __init__(self) -> None:
        self._seen: deque[Look] = deque(maxlen=REMEMBERED)
        self._unseen_since_us: int | None = None
        self._last: deque[Look] = deque(maxlen=2)
        """The frames before the one asked about, newest last."""

    def wants(self, frame: RawFrame, look: Look, after: Look | None, *, starts_shot: bool) -> bool:
        """(The rules of the module's docstring, by number.) Call once per frame, in order."""
        since_us = frame.at_us if self._unseen_since_us is None else self._unseen_since_us
        wanted = (
            starts_shot  # 1
            or frame.until_us - since_us >= MAX_UNSEEN_US  # 4
            or ((self._odd(look, after) or self._popped_up(look)) and all(look.differs(s) for s in self._seen))  # 2, 3
        )
        if wanted:
            self._seen.append(look)
            self._unseen_since_us = None
        else:
            self._unseen_since_us = since_us
        self._last.append(look)
        return wanted

    def _odd(self, look: Look, after: Look | None) -> bool:
        """Whether some cell differs from both neighbours while these agree with each other, or is new to both."""
        if not self._last:
            return True
        before = self._last[-1]
        if after is None:
            return look.holds_new(before)
        return look.holds_new(before, after) or _alone_in_stillness(look, before, after)

    def _popped_up(self, look: Look) -> bool:
        """Whether the frame before held something new and this one still holds it."""
        if len(self._last) < 2:
            return False
        earlier, before = self._last
        return before.holds_new(earlier) and look.holds_new(earlier) and not look.holds_new(before)


def _alone_in_stillness(look: Look, before: Look, after: Look) -> bool:
    for here, old, new in zip(look.planes, before.planes, after.planes, strict=True):
        deviates = np.minimum(np.abs(here - old), np.abs(here - new))
        if _most(deviates) > CELL and _most(deviates - cv2.dilate(np.abs(old - new), _AROUND)) > CELL:
            return True
    return False


def _most(cells: NDArray[np.float32]) -> float:
    return float(cells.max())


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
