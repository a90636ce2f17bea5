"""Whose faces are seen: every face as a track, and those that may be a registered person's.

A match says that a face lies within `faces.MATCH` of a reference photo; policies hold on it and do not
reject, because the default embedder takes strangers of East Asian descent for one person too easily
(docs/models.md, "Faces"). Between `MATCH` and `POSSIBLE` a person's face is possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers import faces, insightface_pack
from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Look
from classifiers.faces import FaceModels, Follower, NoFace, Pixels, Template, Track
from classifiers.finding import Finding, Region, Surface, millionths
from classifiers.insightface_pack import Pack
from classifiers.watching import Watch
from classifiers.weights import WeightsMissing
from provenance.asset import AssetKind, TimeRange
from provenance.media import Unusable
from provenance.registry import Person

VERSION = "dlib-1"
"""Changes whenever the same film could get another answer: thresholds, looks, tracking."""
FACE_REFERENCES = frozenset({"face", "picture"})
NEAR_CUT_US = 1_000_000
"""A face this close to a cut is taken to be there up to the cut: the looks in between may have missed it."""
MISSED_US = 400_000
"""Elsewhere a track is widened by this, the longest time between two looks."""
ALSO_LIKE = 0.10
"""Other persons are named too when they are possible and no further than this beyond the nearest."""
NOT_WORTH_A_SECOND_LOOK = 0.10
"""Beyond `POSSIBLE` by this on plain embeddings, averaging ten variations has never brought a face back within it."""
HEADROOM = 0.25
"""Of a face's side, added around it: the detector's square ends at brows and chin."""


@dataclass(frozen=True, slots=True)
class Second:
    """A recogniser the user brought, and what it knows of the registered persons."""

    pack: Pack
    vectors: Mapping[str, NDArray[np.float32]]
    at: float | None
    """Cosine from which it names a person by itself (option faces_insightface_at); None: it only comments."""

    def similarities(self, chips: Sequence[Pixels]) -> dict[str, float]:
        """Cosine to every person; empty where its own detector sees no face."""
        vector = self.pack.vector(chips)
        return {} if vector is None else {person: float(vector @ known) for person, known in self.vectors.items()}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The faces of the registered persons, as templates."""

    templates: Mapping[str, tuple[Template, ...]]
    refused: tuple[str, ...]
    """A sentence for each reference that could not be enrolled: by it nobody is looked for."""


def enrol_registered(persons: Mapping[str, Person], models: FaceModels, options: Mapping[str, Any]) -> Enrolled:
    """The templates of every person with a face reference. Photos that cannot be enrolled are named."""
    cache = options.get("template_cache")
    templates: dict[str, tuple[Template, ...]] = {}
    refused = []
    for person in persons.values():
        made = []
        for reference in person.references:
            if reference.kind not in FACE_REFERENCES:
                continue
            try:
                made.append(faces.template_of(reference.path, models, cache))
            except (NoFace, Unusable, OSError) as wrong:
                refused.append(f"{person.id} is not looked for by {reference.path.name}: {wrong}")
        if made:
            templates[person.id] = tuple(made)
    return Enrolled(templates, tuple(refused))


def known_to(pack: Pack, persons: Mapping[str, Person], models: FaceModels) -> dict[str, NDArray[np.float32]]:
    """What `pack` makes of each person's photos; persons it sees no face of are left to the default embedder."""
    vectors = {}
    for person in persons.values():
        chips = []
        for reference in person.references:
            if reference.kind in FACE_REFERENCES:
                with suppress(Unusable, OSError):  # named already by `enrol_registered`
                    chips += [face.chip for face in models.faces(faces.first_picture(reference.path))[:1]]
        if (vector := pack.vector(chips)) is not None:
            vectors[person.id] = vector
    return vectors


class _Look:
    def __init__(self, film: Film, models: FaceModels, enrolled: Enrolled, second: Second | None = None) -> None:
        self._second = second
        self._film = film
        self._models = models
        self._enrolled = enrolled
        self._follower = Follower(models)
        self._watch = Watch()

    def see(self, frame: Frame) -> None:
        """Find the faces of one frame, unless it shows what was just looked at."""
        if not self._watch.worth_a_look(frame):
            self._follower.still_there(frame.until_us)
            return
        self._follower.see(
            frame.rgb(),
            frame.at_us,
            frame.until_us,
            shot=frame.shot,
            keep=bool(self._enrolled.templates),
            closely=_still(self._film),
        )

    def finish(self, film: Film) -> Iterable[Finding]:
        """A `person.face` for every track, and a `likeness.face` for every person it may be.

        Raises WeightsMissing at the end, when all that was found is said, where some registered person
        could not be looked for: that must not pass in silence.
        """
        for track in self._follower.finish():
            yield self._face(track)
            if self._enrolled.templates:
                for part in track.parts(self._models):
                    yield from self._matches(part, film)
        if self._enrolled.refused:
            raise WeightsMissing(
                "; ".join(self._enrolled.refused[:3]), "replace these pictures: dramagate registry add persons"
            )

    def _face(self, track: Track) -> Finding:
        places = track.places
        return Finding(
            classifier="likeness",
            version=VERSION,
            category="person.face",
            score_millionths=millionths(max(place.score for _, _, place in places)),
            surface=Surface.IMAGE,
            where=track.where,
            frames=len(places),
            measured={"face_px": round(max(place.width_px for _, _, place in places))},
            region=_region(track),
            weights=self._models.digest,
        )

    def _matches(self, track: Track, film: Film) -> Iterator[Finding]:
        best = sorted((s for s in track.samples if s.face.quality.comparable), key=lambda s: -s.face.quality.rank)
        if not best:
            return
        chips = [s.face.chip for s in best]
        similar = self._second.similarities(chips[:3]) if self._second else {}
        named = [p for p, s in similar.items() if self._second and self._second.at is not None and s >= self._second.at]
        rough = self._models.embed(chips[:6]).mean(axis=0)
        if not named and min(self._distances(rough).values()) > faces.POSSIBLE + NOT_WORTH_A_SECOND_LOOK:
            return
        distances = self._distances(self._models.embed_well(chips[:3]))
        nearest = min(distances.values())
        sure = best[0].face.quality.sure and (_still(film) or len(best) > 1)
        for person, distance in sorted(distances.items(), key=lambda d: d[1]):
            if person not in named and distance > min(faces.POSSIBLE, nearest + ALSO_LIKE):
                continue
            match = faces.band(distance, sure=sure) == "yes"
            below = faces.score(faces.MATCH) - 1e-6
            score = faces.score(distance) if match else min(faces.score(distance), below)
            if person in named:
                score = max(score, faces.score(faces.POSSIBLE))
            measured = {
                "distance": round(distance, 6),
                "face_px": round(best[0].face.quality.width_px),
                "frames": len(track.places),
                "match": 1.0 if match else 0.0,
            }
            others = [d for other, d in distances.items() if other != person]
            if others:
                measured["margin_to_next"] = round(min(others) - distance, 6)
            if person in similar:
                measured["second_similarity"] = round(similar[person], 6)
            yield Finding(
                classifier="likeness",
                version=VERSION,
                category="likeness.face",
                score_millionths=millionths(score),
                surface=Surface.IMAGE,
                where=_widened(track, film),
                frames=len(track.places),
                measured=measured,
                region=_region(track),
                subject=person,
                evidence=f"frame:{best[0].at_us}",
                weights=self._models.digest,
            )

    def _distances(self, vector: NDArray[np.float32]) -> dict[str, float]:
        """To each person, the distance of the nearest of its references."""
        return {
            person: min(float(np.linalg.norm(vector - t.vector)) for t in templates)
            for person, templates in self._enrolled.templates.items()
        }


def _still(film: Film) -> bool:
    return film.duration_us <= 1


def _widened(track: Track, film: Film) -> TimeRange:
    """When the face may be seen: up to the cuts where it is near them, else a little more than it was found."""
    shot = film.shots[track.shot] if track.shot < len(film.shots) else TimeRange(0, max(1, film.duration_us))
    where = track.where
    start = shot.start_us if where.start_us - shot.start_us <= NEAR_CUT_US else where.start_us - MISSED_US
    end = shot.end_us if shot.end_us - where.end_us <= NEAR_CUT_US else where.end_us + MISSED_US
    return TimeRange(max(0, min(start, where.start_us)), max(end, where.end_us))


def _region(track: Track) -> Region:
    """All of the picture where the face was, with room for the head."""
    places = [place for _, _, place in track.places]
    room = HEADROOM * max(p.width_px for p in places)
    left = max(0.0, min(p.x0 for p in places) - room) / track.width
    top = max(0.0, min(p.y0 for p in places) - 2 * room) / track.height
    right = min(float(track.width), max(p.x1 for p in places) + room) / track.width
    bottom = min(float(track.height), max(p.y1 for p in places) + room) / track.height
    return Region(round(left, 4), round(top, 4), round(right - left, 4), round(bottom - top, 4))


class _Likeness:
    name = "likeness"
    version = VERSION
    emits = frozenset({"likeness.face", "person.face"})
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
        """Ready to look for the faces of the registry's persons. Raises WeightsMissing."""
        models, persons = FaceModels.load(context.weights, context.device), context.registry.persons
        enrolled = enrol_registered(persons, models, context.options)
        if not (enrolled.templates and context.weights.holds(insightface_pack.WEIGHTS)):
            return _Look(film, models, enrolled)
        pack = Pack.load(*context.weights.folder(insightface_pack.WEIGHTS), context.device)
        known = known_to(pack, {p: persons[p] for p in enrolled.templates}, models)
        return _Look(film, models, enrolled, Second(pack, known, context.options.get("faces_insightface_at")))


classifier: Classifier = _Likeness()
