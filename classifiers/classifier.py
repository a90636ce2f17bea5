"""The shape of a classifier. To add one, add one file to `classifiers/detectors/`.

One decode pass feeds every classifier (screen.py). A classifier is opened once per film with a
`Context`, is shown frames in order of time, and says what it found when the film ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classifiers import detectors
from classifiers.finding import Finding
from classifiers.weights import WeightStore
from provenance.asset import AssetKind, TimeRange
from provenance.registry import Registry

Pixels = NDArray[np.uint8]


class Cadence(StrEnum):
    """Which frames a classifier is shown."""

    EVERY = "every"
    """Every decoded frame. For the cheap looks: hashes, statistics."""
    NOVEL = "novel"
    """Every frame that shows something new, and at least one in every 0.4 s (screen.py, `Novelty`)."""
    NONE = "none"
    """No frames: this classifier works on text, sound or metadata alone, in `Look.finish`."""


class Frame(Protocol):
    """One decoded picture, upright and in display orientation. Pixels are made when first asked for."""

    index: int
    """Counting every decoded frame from 0."""
    at_us: int
    """When it is first shown."""
    until_us: int
    """When the next one replaces it (or the film ends)."""
    width: int
    height: int
    shot: int
    """Which shot it belongs to, from 0."""
    starts_shot: bool
    luma64: NDArray[np.float32]
    """float32[64, 64]: the area-averaged luma of the whole picture, 0..255. Made for every frame."""

    def luma(self) -> Pixels:
        """uint8[height, width]: the luma plane. Borrowed: copy what is kept."""

    def rgb(self) -> Pixels:
        """uint8[height, width, 3], row-major, sRGB. Converted once per frame and shared: do not write."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text that came with the work: a subtitle cue, a script line, a title."""

    surface: str
    """subtitle | script | metadata."""
    text: str
    where: TimeRange | None
    """When it is shown; None where it has no time."""
    source: str
    """Where it was read, e.g. "track:2", "papers:series.title", "script:14"."""


@dataclass(frozen=True, slots=True)
class Film:
    """What is known of the work apart from its pictures. A still is a film of one frame, [0, 1) us."""

    path: Path
    kind: AssetKind
    duration_us: int
    width: int
    height: int
    frames_total: int
    """Decoded frames; known only when the pass has ended (0 before)."""
    shots: tuple[TimeRange, ...] = ()
    lines: tuple[Line, ...] = ()
    """Embedded subtitle tracks, the script itself where the work is a script, and texts of the papers."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a classifier may use."""

    registry: Registry
    weights: WeightStore
    device: str = "cpu"
    options: Mapping[str, Any] = field(default_factory=dict)


class Look(Protocol):
    """One classifier at work on one film."""

    def see(self, frame: Frame) -> None:
        """Look at one frame. Frames come in order of time, only those of the cadence."""

    def finish(self, film: Film) -> Iterable[Finding]:
        """Everything found. Called once, after the last frame."""


class Classifier(Protocol):
    """What each module in `classifiers/detectors/` offers under the name `classifier`."""

    @property
    def name(self) -> str:
        """The module's name; what rulebooks write under `requires`."""

    @property
    def version(self) -> str:
        """Changes whenever the same work could get a different answer."""

    @property
    def emits(self) -> frozenset[str]:
        """Every category this classifier can report."""

    @property
    def cadence(self) -> Cadence:
        """Which frames it wants to see."""

    @property
    def looks_at(self) -> frozenset[AssetKind]:
        """The kinds of work it has anything to say about."""

    def open(self, film: Film, context: Context) -> Look:
        """Bring weights in and be ready for `film`.

        Raises `classifiers.weights.WeightsMissing` where a file is absent: that becomes a Gap.
        """


def installed() -> dict[str, Classifier]:
    """Every classifier on disk, by module name. An import that fails is an error, not a skip."""
    return {
        module.name: import_module(f"{detectors.__name__}.{module.name}").classifier
        for module in sorted(iter_modules(detectors.__path__), key=lambda m: m.name)
        if not module.name.startswith("_")
    }
