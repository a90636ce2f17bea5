"""Where one shot ends and the next begins, told frame by frame with two frames of foresight.

A cut is a change that is (1) not undone within two frames (a flash), and either (2) large against
what both pictures hold, more than movement about it, and not what moving the old picture about would
give (a whip pan, a fast movement); or (3) much larger than anything in the half second before and
just after it, in brightness and colour, and not merely more or less light on the same picture (two
shots framed alike). A fade through black ends a shot where the new picture first shows, if it is
another picture than the one that went.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Luma64 = NDArray[np.float32]

FORESIGHT = 2
"""Frames that must follow before a frame can be told: a flash of two frames is no cut."""

CHANGE = 0.40
"""Least share of both pictures' contrast that is different (0 same, about 1 unrelated). Measured on 600 pairs
of unrelated pictures (AI clips, street, studio; also at a fifth of their brightness): 99 % are above 0.62; of
3000 pairs up to four frames apart in one shot 99 % are below 0.49."""
NEW = 0.90
"""Least sum of that share and of what moving the old picture cannot explain; same measurement."""
STANDS_OUT = 1.5
"""How many times the largest such sum in the two frames before and after it must be."""
JUMP = 18.0
"""Least mean change of a cell, in grey levels, of a cut between two shots framed alike (in dark or flat pictures
`JUMP_SHARE` of their contrast is enough)..."""
JUMP_SHARE = 0.8
FAR_OUT = 2.5
"""...and how many times the largest in the `CALM` frames before it and the two after it that must be..."""
CALM = 12
RELIT = 0.97
"""...and the correlation from which it is one picture in another light."""
STIRS = 1.0
"""Mean change of a cell in grey levels below which a frame cannot start a shot and is not looked at further."""
FLOOR = 24.0
"""Variance every picture is credited with, so that noise in black frames is not a change (4.9 grey levels)."""
BLACK = 6.0
"""Contrast in grey levels up to which a dark or white picture counts as faded out..."""
FADED = 0.2
"""...if it had at least five times that before (a watermark may stay over the black)..."""
RISEN = 1.0
"""...contrast of what rises out of the black until it counts as a picture again..."""
CAME_BACK = 0.6
"""...and the correlation from which the picture that comes back is the one that went."""


Colour = tuple[NDArray[np.float32], ...]


@dataclass(slots=True)
class _Seen:
    g64: Luma64
    colour: Colour
    g16: NDArray[np.float32]
    change: float = 0.0
    jump: float = 0.0
    newness: float | None = None


class Cuts:
    """Fed every frame's cheap look; says `FORESIGHT` frames later which of them start a shot.

    The first frame always does. `flush` tells the last ones.
    """

    def __init__(self) -> None:
        self._line: list[_Seen] = []
        """Frames from three before the one to be told up to the newest."""
        self._told = 0
        self._fed = 0
        self._calm: deque[float] = deque(maxlen=CALM)
        """How much each of the last frames jumped that were no cut."""
        self._before_flash: _Seen | None = None
        self._flash_left = 0
        self._gone: _Seen | None = None
        """The last picture with contrast, `_peak` the most it had..."""
        self._peak = 0.0
        self._black: _Seen | None = None
        """...and the blank one it has faded to; None while it shows."""

    def feed(self, g64: Luma64, colour: Colour = ()) -> bool | None:
        """Whether the frame `FORESIGHT` back starts a shot; None while there is none yet.

        `g64` is its luma, `colour` any number of planes of colour differences.
        """
        seen = _Seen(g64, colour, g64.reshape(16, 4, 16, 4).mean(axis=(1, 3)))
        if self._line:
            seen.jump = _jump(self._line[-1], seen)
            if seen.jump >= STIRS:
                seen.change = change_between(self._line[-1].g16, seen.g16)
        self._line.append(seen)
        self._fed += 1
        if self._fed <= FORESIGHT:
            return None
        return self._tell()

    def flush(self) -> list[bool]:
        """The same for the frames that were still waiting for foresight."""
        return [self._tell() for _ in range(self._fed - self._told)]

    def _tell(self) -> bool:
        at = len(self._line) - (self._fed - self._told)
        self._told += 1
        cut = at > 0 and self._cut(at)
        faded = at > 0 and self._through_black(self._line[at])
        if cut:
            self._gone, self._black, self._peak = None, None, 0.0
        if at > 0 and not cut:
            self._calm.append(self._line[at].jump)
        del self._line[: max(0, at - 2)]
        return at == 0 or cut or faded

    def _cut(self, at: int) -> bool:
        """(The steps of the module's docstring, by number.)"""
        old, new = self._line[at - 1], self._line[at]
        if self._flash_left:
            self._flash_left -= 1
            if self._before_flash is not None and _jump(self._before_flash, new) < new.jump / 2:
                self._flash_left = 0
                return False
        if new.change < CHANGE and new.jump < self._least_jump(old, new):
            return False
        after = self._line[at + 1 : at + 1 + FORESIGHT]
        if any(_jump(old, later) < new.jump / 2 for later in after):  # 1
            self._before_flash, self._flash_left = old, FORESIGHT
            return False
        return self._another_picture(at) or self._out_of_the_calm(at)

    def _another_picture(self, at: int) -> bool:
        """(2)"""
        if self._line[at].change < CHANGE or self._newness(at) < NEW:
            return False
        around = [self._newness(i) for i in range(max(1, at - 2), min(len(self._line), at + 1 + FORESIGHT)) if i != at]
        return self._newness(at) >= STANDS_OUT * max(around, default=0.0)

    def _out_of_the_calm(self, at: int) -> bool:
        """(3)"""
        old, new = self._line[at - 1], self._line[at]
        around = [*self._calm, *(s.jump for s in self._line[at + 1 : at + 1 + FORESIGHT])]
        if new.jump < max(self._least_jump(old, new), FAR_OUT * max(around, default=0.0)):
            return False
        return correlation(old.g64, new.g64) < RELIT or _colour_jump(old, new) > JUMP / 3

    @staticmethod
    def _least_jump(old: _Seen, new: _Seen) -> float:
        contrast = (float(old.g64.std()) + float(new.g64.std())) / 2
        return min(JUMP, max(JUMP / 6, JUMP_SHARE * contrast))

    def _newness(self, at: int) -> float:
        seen = self._line[at]
        if seen.newness is None:
            seen.newness = seen.change
            if seen.change >= CHANGE / 2:
                seen.newness += left_after_moving(self._line[at - 1].g64, seen.g64)
        return seen.newness

    def _through_black(self, new: _Seen) -> bool:
        """Whether `new` is the first of another picture than the one that faded out before it."""
        contrast = float(new.g64.std())
        gone, black = self._gone, self._black
        if black is None:
            if contrast > BLACK:
                self._gone, self._peak = new, max(self._peak, contrast)
            elif gone is not None and contrast < self._peak * FADED and not 24 < float(new.g64.mean()) < 232:
                self._black = new
            return False
        if float(black.g64.std()) > contrast:
            self._black = new  # still fading out
            return False
        if gone is None or contrast < float(black.g64.std()) + RISEN / 2 or float((new.g64 - black.g64).std()) < RISEN:
            return False
        self._black, self._gone, self._peak = None, new, contrast
        return correlation(gone.g64 - black.g64, new.g64 - black.g64) < CAME_BACK


def _jump(a: _Seen, b: _Seen) -> float:
    """Mean change of a cell in grey levels, of brightness and colour together."""
    return float(np.abs(a.g64 - b.g64).mean()) + _colour_jump(a, b)


def _colour_jump(a: _Seen, b: _Seen) -> float:
    return sum(float(np.abs(x - y).mean()) for x, y in zip(a.colour, b.colour, strict=True)) / 2


def change_between(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """How different two small luma pictures are: 0 the same, about 1 unrelated; brightness counts."""
    d = a - b
    ssd = float(np.dot(d.ravel(), d.ravel())) / d.size
    contrast = float(a.var()) + float(b.var()) + float(d.mean()) ** 2 + 2 * FLOOR
    return float(ssd / contrast)


def correlation(a: Luma64, b: Luma64) -> float:
    """How alike two pictures are whatever their brightness and contrast: 1 the same, about 0 unrelated."""
    x, y = (a - a.mean()).ravel(), (b - b.mean()).ravel()
    energy = (float(np.dot(x, x)) + a.size) * (float(np.dot(y, y)) + a.size)
    return float(np.dot(x, y)) / math.sqrt(energy)


def left_after_moving(old: Luma64, new: Luma64, reach: int = 8) -> float:
    """Share of `new`'s contrast that is left when each of its 8x8 blocks may come from nearby in `old`.

    Both are made equally bright first. Up to 0.25 for movement, 0.3-1 for another picture (see CHANGE).
    """
    a, b = old - old.mean(), new - new.mean()
    padded = np.pad(a, reach, mode="edge")
    best = np.full((8, 8), np.inf, np.float32)
    for dy in range(2 * reach + 1):
        for dx in range(2 * reach + 1):
            d = b - padded[dy : dy + 64, dx : dx + 64]
            best = np.minimum(best, np.einsum("ijkl,ijkl->ik", *(d.reshape(8, 8, 8, 8),) * 2))
    contrast: float = b.size * (float(b.var()) + FLOOR)
    return float(best.sum()) / contrast
