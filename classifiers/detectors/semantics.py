"""What scenes show, asked of a picture-text model the user brings (open_clip, CLIP, SigLIP) in words kept as data.

Without such weights this classifier leaves a Gap. Its thresholds are unmeasured (prompts/scenes.yaml).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Look, Pixels
from classifiers.finding import Finding, Surface, millionths
from classifiers.samples import Sample, average, gathered, runs, span
from classifiers.watching import Watch
from provenance.asset import AssetKind, TimeRange

if TYPE_CHECKING:
    from classifiers.torch_models import ImageText

Floats = NDArray[np.float32]

WEIGHTS = "semantics-openclip"
LANGUAGES = ("en",)
"""Asked unless the option semantics_languages says more: most models know English only."""
RUN = 2
"""Half-second samples in a row that make a finding; one where the shot or the still has no more."""
SHORT_SHOT_US = 1_000_000
SMALL_SIDE = 448
"""Pictures go to the model at most this large on their shorter side; models look at 224 to 384."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """The words a model is asked with."""

    version: str
    nothing: tuple[str, ...]
    concepts: Mapping[str, tuple[str, ...]]
    """Prompts by category."""
    at: Mapping[str, float]
    """By category the probability from which a sample counts."""


def load_prompts(text: str, languages: Sequence[str] = LANGUAGES) -> Prompts:
    """The prompts of a file in the given languages. Raises ValueError saying what is wrong with it, and where."""
    doc = yaml.safe_load(text)
    try:
        nothing = tuple(p for language in languages for p in doc["nothing"][language])
        concepts = {c: tuple(p for language in languages for p in e[language]) for c, e in doc["concepts"].items()}
        at = {category: float(entry["at"]) for category, entry in doc["concepts"].items()}
        version = f"{doc['prompts']}-{doc['version']}-{'+'.join(languages)}"
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError(f"the prompts lack {wrong} (nothing and every concept need {', '.join(languages)})") from None
    for category, share in at.items():
        if not 0.5 <= share <= 1.0:
            raise ValueError(f"{category}: at is {share}, not a share between 0.5 and 1")
        if not concepts[category]:
            raise ValueError(f"{category}: no prompts")
    return Prompts(version, nothing, concepts, at)


def probabilities(picture: Floats, questions: Mapping[str, Floats], nothing: Floats, scale: float) -> dict[str, float]:
    """By category the softmax share of its mean prompt against all of `nothing`; vectors are of length 1."""
    against = scale * (nothing @ picture)
    shares = {}
    for category, vectors in questions.items():
        logit = scale * float(_unit(vectors.mean(axis=0)) @ picture)
        top = max(logit, float(against.max()))
        shares[category] = float(np.exp(logit - top) / (np.exp(logit - top) + np.exp(against - top).sum()))
    return shares


class _Look:
    def __init__(self, model: ImageText, prompts: Prompts, digest: str) -> None:
        self._model, self._prompts, self._digest = model, prompts, digest
        self._nothing = model.texts(prompts.nothing)
        self._questions = {category: model.texts(words) for category, words in prompts.concepts.items()}
        self._watch = Watch()
        self._looks: list[Sample] = []

    def see(self, frame: Frame) -> None:
        """Ask about one frame, unless it shows what was just asked about."""
        if not self._watch.worth_a_look(frame):
            if self._looks and self._looks[-1].shot == frame.shot:
                self._looks[-1] = self._looks[-1].lasting(frame.until_us)
            return
        picture = self._model.pictures([_smaller(frame.rgb())])[0]
        shares = probabilities(picture, self._questions, self._nothing, self._model.scale)
        self._looks.append(Sample(frame.at_us, frame.until_us, frame.shot, shares))

    def finish(self, film: Film) -> Iterable[Finding]:
        """One finding per category and run of samples that show it."""
        for shot, in_shot in groupby(self._looks, key=lambda s: s.shot):
            looks = list(in_shot)
            where = film.shots[shot] if shot < len(film.shots) else TimeRange(0, max(1, film.duration_us))
            samples = gathered(looks, where)
            needed = 1 if where.length_us < SHORT_SHOT_US else RUN
            for category, share in self._prompts.at.items():
                for run in runs(samples, lambda s, c=category, a=share: s.scores[c] >= a, needed):  # type: ignore[misc]
                    yield self._finding(category, run, film)

    def _finding(self, category: str, run: Sequence[Sample], film: Film) -> Finding:
        start_us, end_us = span(run)
        looks = [look for look in self._looks if start_us <= look.at_us < end_us] or list(run)
        return Finding(
            classifier="semantics",
            version=f"{VERSION}/{self._prompts.version}",
            category=category,
            score_millionths=millionths(average([s.scores[category] for s in run])),
            surface=Surface.IMAGE,
            where=TimeRange(start_us, max(start_us + 1, min(end_us, film.duration_us))),
            frames=len(looks),
            measured={"share": round(average([s.scores[category] for s in run]), 6)},
            evidence=f"frame:{max(looks, key=lambda s: s.scores[category]).at_us}",
            weights=self._digest,
        )


def _smaller(rgb: Pixels) -> Pixels:
    scale = SMALL_SIDE / min(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _unit(vector: Any) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


VERSION = "zero-shot-1"
"""Changes whenever the same film could get another answer with the same weights and prompts."""


@lru_cache(maxsize=8)
def shipped_prompts(languages: tuple[str, ...] = LANGUAGES) -> Prompts:
    """The prompts that come with dramagate. Raises ValueError for a language they do not have."""
    return load_prompts(resources.files("classifiers").joinpath("prompts/scenes.yaml").read_text("utf-8"), languages)


class _Semantics:
    name = "semantics"
    version = VERSION
    emits = frozenset(shipped_prompts().concepts)
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
        """The user's model, asked with the shipped prompts. Raises WeightsMissing where none is prepared."""
        folder, digest = context.weights.folder(WEIGHTS)
        from classifiers import torch_models  # torch takes seconds to import, so only where there are weights for it

        prompts = shipped_prompts(tuple(context.options.get("semantics_languages", LANGUAGES)))
        return _Look(torch_models.image_text(folder, context.device), prompts, digest)


classifier: Classifier = _Semantics()
