"""Explicit and suggestive pictures, by two small classifiers that know photographs and drawings.

Both see every picture squashed to a square, as nsfwjs shows it to them; letterbox bars are taken off
first, because a smaller subject is missed more often. The thresholds come from false positives alone
(706 benign frames of 122 kinds, docs/models.md, "Explicit content"); recall was never measured here. So
silence proves nothing, and what is found asks for a person (hold), never for a rejection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from classifiers import onnx_session
from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Look, Pixels
from classifiers.finding import Finding, Surface, millionths
from classifiers.samples import SAMPLE_US, Sample, average, gathered, means, runs, span
from classifiers.watching import Watch
from classifiers.weights import combined
from provenance.asset import AssetKind, TimeRange

Floats = NDArray[np.float32]

VERSION = "nsfwjs-1"
"""Changes whenever the same film could get another answer: thresholds, sampling, bars."""
WEIGHTS = "explicit-nsfwjs"
FURTHER_WEIGHTS = "explicit-transformers"

EXPLICIT = 0.7
"""Porn + hentai of the first classifier, in every sample of a run: 1 of 122 benign kinds trips it (a cockatoo)."""
EXPLICIT_AT_ONCE, AND_SECOND = 0.9, 0.5
"""In a single look, the first classifier and the second: 0.5 alone trips 8 of 122 kinds, both together none new."""
SUGGESTIVE = 0.5
"""Sexy of the second classifier, in every sample of a run: evening dresses do it. From 0.8 on, hold (the class also
takes bare breasts). The first classifier's sexy never passes 0.3, even on those, and is not used."""
RUN = 2
"""Samples in a row that make a run; one where the shot or the still has no more."""
SHORT_SHOT_US = 1_000_000
AROUND_US = 500_000
"""Added on both sides of a run, as far as the next sample might have shown it too."""
DARK = 20.0
"""Luma, 0 to 255, below which a cell of the 64 x 64 may belong to a bar."""
MOST_BAR = 24
"""Of 64 rows or columns a bar may take on one side: a 16:9 film in a 9:16 frame has bars of 22."""

UNSAFE_LABELS = frozenset({"nsfw", "porn", "hentai", "explicit", "sexual", "nude", "nudity", "unsafe"})
"""Classes of a further classifier that count as explicit."""


# ---- the story: look, gather into samples, find runs ---------------------------------------------


class _Look:
    def __init__(self, mid: Net, v2: Net, further: Any, digest: str) -> None:
        self._mid, self._v2, self._further, self._digest = mid, v2, further, digest
        self._watch = Watch()
        self._looks: list[Sample] = []
        self._second_us = -SAMPLE_US

    def see(self, frame: Frame) -> None:
        """Classify one frame, unless it shows what was just classified."""
        if not self._watch.worth_a_look(frame):
            if self._looks and self._looks[-1].shot == frame.shot:
                self._looks[-1] = self._looks[-1].lasting(frame.until_us)
            return
        picture = squashed(frame.rgb(), bars(frame.luma64))
        scores = self._mid.classify(picture)
        suspicious = scores["mid_porn"] + scores["mid_hentai"] >= AND_SECOND
        if suspicious or frame.starts_shot or frame.at_us - self._second_us >= SAMPLE_US:
            self._second_us = frame.at_us
            scores |= self._v2.classify(picture)
            if self._further:
                scores["further_unsafe"] = self._further.unsafe(frame.rgb(), UNSAFE_LABELS)
        self._looks.append(Sample(frame.at_us, frame.until_us, frame.shot, scores))

    def finish(self, film: Film) -> Iterable[Finding]:
        """One finding per run of explicit samples, per single look both agree on, per run of suggestive samples."""
        for shot, in_shot in groupby(self._looks, key=lambda s: s.shot):
            looks = list(in_shot)
            where = film.shots[shot] if shot < len(film.shots) else TimeRange(0, max(1, film.duration_us))
            samples = gathered(looks, where)
            needed = 1 if where.length_us < SHORT_SHOT_US else RUN
            explicit = [*runs(samples, lambda s: _explicit(s) >= EXPLICIT, needed)]
            told = [span(run) for run in explicit]
            at_once = [s for s in looks if _explicit(s) >= EXPLICIT_AT_ONCE and _second(s) >= AND_SECOND]
            explicit += [[s] for s in at_once if not any(start <= s.at_us < end for start, end in told)]
            for run in explicit:
                yield self._finding("sexual.explicit.unspecified", _explicit, run, film)
            for run in runs(samples, lambda s: _suggestive(s) >= SUGGESTIVE, needed):
                yield self._finding("sexual.suggestive", _suggestive, run, film)

    def _finding(self, category: str, value: Callable[[Sample], float], run: Sequence[Sample], film: Film) -> Finding:
        start_us, end_us = span(run)
        looks = [look for look in self._looks if start_us <= look.at_us < end_us] or list(run)
        return Finding(
            classifier="explicit_content",
            version=VERSION,
            category=category,
            score_millionths=millionths(average([value(s) for s in run])),
            surface=Surface.IMAGE,
            where=TimeRange(max(0, start_us - AROUND_US), max(min(film.duration_us, end_us + AROUND_US), start_us + 1)),
            frames=len(looks),
            measured={**means(run), "longest_run_us": float(end_us - start_us)},
            evidence=f"frame:{max(looks, key=value).at_us}",
            weights=self._digest,
        )


def bars(luma64: Floats) -> tuple[int, int]:
    """How many of the 64 rows above and below, and columns left and right, are black bars.

    Bars come in pairs of equal width. One side must be black all over; the other may carry a subtitle.
    """
    dark = luma64 < DARK
    return _pair_of_bars(dark), _pair_of_bars(dark.T)


def squashed(rgb: Pixels, bar: tuple[int, int] = (0, 0)) -> Floats:
    """float32[1, 224, 224, 3], 0..1: the picture without its bars, sampled as nsfwjs samples it.

    Bilinear with corners aligned and no smoothing: other ways of shrinking move probabilities by up to .45.
    """
    height, width = rgb.shape[:2]
    across, down = _sampling(width, height, *bar)
    small = cv2.remap(rgb, across, down, cv2.INTER_LINEAR)
    return np.asarray(small, np.float32)[None] / np.float32(255)


# ---- helpers -------------------------------------------------------------------------------------


class Net:
    """One of the two classifiers."""

    def __init__(self, session: Any, prefix: str) -> None:
        self._session = session
        classes = session.get_modelmeta().custom_metadata_map["classes"].split(",")
        self._names = [f"{prefix}_{name}" for name in classes]

    def classify(self, picture: Floats) -> dict[str, float]:
        """Probabilities by "<prefix>_<class>"."""
        answer = self._session.run(None, {"image": picture})[0][0]
        return {name: float(p) for name, p in zip(self._names, answer, strict=True)}


@lru_cache(maxsize=8)
def _sampling(width: int, height: int, rows: int, columns: int) -> tuple[Floats, Floats]:
    """Where in the picture each of the 224 x 224 samples lies."""
    top, left = -(-rows * height // 64), -(-columns * width // 64)
    x = np.linspace(left, width - 1 - left, 224, dtype=np.float32)
    y = np.linspace(top, height - 1 - top, 224, dtype=np.float32)
    across, down = np.meshgrid(x, y)
    return np.ascontiguousarray(across), np.ascontiguousarray(down)


def _pair_of_bars(dark: NDArray[Any]) -> int:
    cells = np.asarray(dark.sum(axis=1))
    black, partly = cells == 64, cells >= 16
    width = 0
    while width < MOST_BAR:
        one, other = width, 63 - width
        if not (black[one] and partly[other]) and not (partly[one] and black[other]):
            break
        width += 1
    return width if width < MOST_BAR else 0  # more than a bar: a dark picture


def _explicit(sample: Sample) -> float:
    """Porn + hentai of the first classifier, or what a further one calls unsafe, whichever is more."""
    scores = sample.scores
    return max(scores["mid_porn"] + scores["mid_hentai"], scores.get("further_unsafe", 0.0))


def _second(sample: Sample) -> float:
    """Porn + hentai of the second classifier; 0 where it did not look."""
    return sample.scores.get("v2_porn", 0.0) + sample.scores.get("v2_hentai", 0.0)


def _suggestive(sample: Sample) -> float:
    """Sexy of the second classifier."""
    return sample.scores.get("v2_sexy", 0.0)


class _ExplicitContent:
    name = "explicit_content"
    version = VERSION
    emits = frozenset({"sexual.explicit.unspecified", "sexual.suggestive"})
    cadence = Cadence.NOVEL
    looks_at = frozenset(
        {
            AssetKind.EPISODE,
            AssetKind.TRAILER,
            AssetKind.SHOT,
            AssetKind.COVER,
            AssetKind.IMAGE,
            AssetKind.CHARACTER_SHEET,
            AssetKind.STORYBOARD,
        }
    )

    def open(self, film: Film, context: Context) -> Look:
        """Both classifiers, and a user's own where one is prepared. Raises WeightsMissing."""
        (mid, d1), (v2, d2) = (context.weights.file(WEIGHTS, f"{name}.onnx") for name in ("mid", "v2"))
        digests, further = [d1, d2], None
        if context.weights.holds(FURTHER_WEIGHTS):
            from classifiers import torch_models

            folder, digest = context.weights.folder(FURTHER_WEIGHTS)
            further = torch_models.image_classifier(folder, context.device, needs=UNSAFE_LABELS)
            digests.append(digest)
        first = Net(onnx_session.session(mid, context.device), "mid")
        second = Net(onnx_session.session(v2, context.device), "v2")
        return _Look(first, second, further, combined(*digests))


classifier: Classifier = _ExplicitContent()
