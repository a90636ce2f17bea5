"""Whether a frame shows anything an expensive look has not just seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Frame


@dataclass(slots=True)
class Watch:
    """Remembers what was last looked at, and says which frames are worth the next look.

    Worth it: the first frame of a shot, one that differs clearly, and, from `soon_us` after the last look,
    one that differs at all. Change is the mean difference of luma in the block of the picture that changed
    most; blocks are sixteenths of its sides, smaller than any face or figure the looks can make out. What is
    passed over therefore looks like what was looked at, and it is always compared with that, so that slow
    changes add up.
    """

    clearly: float = 12.0
    """Levels of luma, 0 to 255. Skin against a wall, a cut, a hand coming in: 30 and more."""
    at_all: float = 3.0
    """The same; noise and compression of a standing picture stay below 2."""
    soon_us: int = 300_000
    _shot: int = -1
    _at_us: int = 0
    _seen: NDArray[np.float32] = field(default_factory=lambda: np.zeros((64, 64), np.float32))

    def worth_a_look(self, frame: Frame) -> bool:
        """Whether to look at `frame`; if so it is what later frames are compared with."""
        if frame.shot == self._shot:
            change = float(np.abs(frame.luma64 - self._seen).reshape(16, 4, 16, 4).mean(axis=(1, 3)).max())
            if change < (self.at_all if frame.at_us - self._at_us >= self.soon_us else self.clearly):
                return False
        self._shot, self._at_us, self._seen = frame.shot, frame.at_us, frame.luma64.copy()
        return True
