"""The calibration card: a harmless picture that must always be stopped, to prove that the gate is looking.

The card is a 16x16 board of light and dark fields, as many as SHA-256 has bits: field n, counted
along the rows from the top left, is light where bit n (most significant first) of the SHA-256 of the
ASCII text "dramagate calibration card 1" is set. Dark is grey level 32, light is 224, and the board is
stretched over the whole picture. It may stand in black bars, be scaled, re-encoded, mirrored or turned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from classifiers.bars import inner
from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Look
from classifiers.finding import Finding, Surface, millionths
from provenance.asset import AssetKind, TimeRange

TEXT = b"dramagate calibration card 1"
DARK, LIGHT = 32, 224
MOST_WRONG = 40
"""Fields of 256 that may come out wrong (a logo over it, coarse coding). Of a random picture 128 do, give or
take 8; 40 is eleven standard deviations away, in each of eight orientations."""
LEAST_CONTRAST = 12.0
"""Grey levels between the light and the dark fields; below it there is nothing to read."""
CATEGORY = "calibration.card"

_BITS = np.unpackbits(np.frombuffer(hashlib.sha256(TEXT).digest(), np.uint8)).reshape(16, 16).astype(bool)
_ORIENTED = [np.rot90(board, turns) for board in (_BITS, _BITS[:, ::-1]) for turns in range(4)]
_SIGNED = np.stack([np.where(board, 1.0, -1.0).ravel() for board in _ORIENTED]).astype(np.float32)


def draw_card(width: int, height: int) -> NDArray[np.uint8]:
    """uint8[height, width, 3]: the card, filling the picture."""
    board = np.where(_BITS, LIGHT, DARK).astype(np.uint8)
    stretched = cv2.resize(board, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.repeat(stretched[:, :, None], 3, axis=2)


def wrong_fields(luma: NDArray[np.float32]) -> int:
    """How many of 256 fields of the best orientation a picture has wrong; 256 where it has no contrast."""
    fields = np.asarray(cv2.resize(luma, (16, 16), interpolation=cv2.INTER_AREA), np.float32).ravel()
    light = fields > np.partition(fields, 127)[127]
    wrong = _wrong(light)
    if wrong > 2 * MOST_WRONG or not light.any():
        return wrong if light.any() else 256
    apart = float(fields[light].mean() - fields[~light].mean())
    # Where the card's light and dark fields are not equally many, the median is not quite between them.
    return 256 if apart < LEAST_CONTRAST else _wrong(fields > fields[~light].mean() + apart / 2)


def _wrong(light: NDArray[np.bool_]) -> int:
    """Fields that are not as on the card, in the orientation that has the fewest."""
    return int(256 - (_SIGNED @ np.where(light, np.float32(1), np.float32(-1))).max()) // 2


class _Run:
    """Frames on end that show the card."""

    def __init__(self, frame: Frame, wrong: int) -> None:
        self.start_us, self.end_us = frame.at_us, frame.until_us
        self.frames, self.wrong = 1, wrong

    def more(self, frame: Frame, wrong: int) -> None:
        self.end_us = frame.until_us
        self.frames, self.wrong = self.frames + 1, min(self.wrong, wrong)


class _Looking:
    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._last_index = -2

    def see(self, frame: Frame) -> None:
        """Read the 16x16 board off the frame's small luma."""
        wrong = wrong_fields(frame.luma64)
        if wrong > MOST_WRONG and (inside := inner(frame.luma64)).shape != frame.luma64.shape:
            wrong = wrong_fields(inside)
        if wrong > MOST_WRONG:
            return
        if self._last_index == frame.index - 1:
            self._runs[-1].more(frame, wrong)
        else:
            self._runs.append(_Run(frame, wrong))
        self._last_index = frame.index

    def finish(self, film: Film) -> Iterable[Finding]:
        """One finding for each stretch of frames."""
        for run in self._runs:
            yield Finding(
                classifier=classifier.name,
                version=classifier.version,
                category=CATEGORY,
                score_millionths=millionths(1 - run.wrong / 256),
                surface=Surface.IMAGE,
                where=TimeRange(run.start_us, min(max(run.end_us, run.start_us + 1), max(film.duration_us, 1))),
                frames=run.frames,
                measured={"wrong_fields": run.wrong},
                evidence=f"frame:{run.start_us}",
            )


class _CalibrationCard:
    name = "calibration_card"
    version = "card-1"
    emits = frozenset({CATEGORY})
    cadence = Cadence.EVERY
    looks_at = frozenset(AssetKind) - {AssetKind.AUDIO, AssetKind.SCRIPT, AssetKind.STORYBOARD, AssetKind.BRANCH_MAP}

    def open(self, film: Film, context: Context) -> Look:
        """Nothing to bring in: the card is arithmetic."""
        del film, context
        return _Looking()


classifier: Classifier = _CalibrationCard()
