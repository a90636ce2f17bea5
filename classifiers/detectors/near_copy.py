"""Copies of registered works: which stretch of the film is which stretch of whose film or picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from classifiers import pdq
from classifiers.alignment import Stretch, align
from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Look
from classifiers.film_print import Print, Printer, kept_print_of
from classifiers.finding import Finding, Surface, millionths
from classifiers.weights import WeightsMissing
from provenance.asset import AssetKind, TimeRange, digest, merge
from provenance.media import Unusable
from provenance.registry import Reference, Work

VIDEO, PICTURE = "copy.video", "copy.picture"
PICTURE_PAUSE_US = 500_000
"""Frames showing one picture this close together are one finding."""


class ReferenceUnreadable(WeightsMissing):
    """A registered picture or film could not be hashed, so nobody looked for it."""


class _Looking:
    def __init__(self, works: Iterable[Work], cache: Path | None) -> None:
        self._works = [w for w in works if not w.record.get("own_catalogue")]
        self._cache = cache
        self._printer = Printer()
        self._unreadable: list[str] = []

    def see(self, frame: Frame) -> None:
        """Hash one frame."""
        self._printer.feed(frame, frame.luma64)

    def finish(self, film: Film) -> Iterable[Finding]:
        """Ask every registered work. Works whose references cannot be read become a Gap, after the others."""
        shown = self._printer.done()
        for work in self._works:
            for reference in work.references:
                if reference.kind in ("video", "picture"):
                    yield from self._asked(film, shown, work, reference)
        if self._unreadable:
            raise ReferenceUnreadable(
                f"{len(self._unreadable)} registered reference(s) could not be looked for: {self._unreadable[0]}",
                "replace the file in the registry: dramagate registry add",
            )

    def _asked(self, film: Film, shown: Print, work: Work, reference: Reference) -> Iterator[Finding]:
        try:
            known = kept_print_of(reference.path, digest(reference.path), self._cache)
        except (Unusable, OSError) as error:
            self._unreadable.append(f"{work.id}: {error}")
            return
        known = known.between(reference.start_us, reference.end_us)
        if known.plain:
            self._unreadable.append(f"{work.id}: {reference.path.name} is too plain to be recognised")
        elif reference.kind == "picture" or known.frames == 1:
            yield from _pictures(film, shown, work, known)
        elif shown.frames == 1:
            yield from _still_of(film, shown, work, known)
        else:
            for stretch in align(shown, known):
                yield _copied(film, work, stretch)


def _copied(film: Film, work: Work, stretch: Stretch) -> Finding:
    return _finding(
        film,
        work,
        VIDEO,
        stretch.score,
        TimeRange(stretch.a_start_us, stretch.a_end_us),
        stretch.frames,
        {
            "matched_frames": stretch.frames,
            "share": round(stretch.share, 4),
            "ref_start_us": stretch.b_start_us,
            "ref_end_us": stretch.b_end_us,
            "mean_distance": round(stretch.distance, 2),
            "distance_out_of_step": round(stretch.apart, 2),
            "mirrored": int(stretch.mirrored),
        },
    )


def _pictures(film: Film, shown: Print, work: Work, picture: Print) -> Iterator[Finding]:
    """Where the film shows the registered picture, upright or mirrored."""
    if shown.plain:
        return
    d = _nearest(shown, picture)
    hit = np.flatnonzero(d <= pdq.RADIUS)
    ranges = [TimeRange(int(shown.at_us[n]), int(shown.until_us[n])) for n in hit]
    for where in merge(ranges, PICTURE_PAUSE_US):
        inside = [n for n in hit if shown.at_us[n] < where.end_us and shown.until_us[n] > where.start_us]
        nearest = float(d[inside].min())
        measured = {"matched_frames": len(inside), "mean_distance": round(float(d[inside].mean()), 2)}
        yield _finding(film, work, PICTURE, 1 - nearest / (2 * pdq.RADIUS), where, len(inside), measured)


def _still_of(film: Film, shown: Print, work: Work, known: Print) -> Iterator[Finding]:
    """Whether the submitted picture is a frame of the registered film."""
    if shown.plain:
        return
    d = _nearest(known, shown)
    n = int(np.argmin(d))
    if d[n] > pdq.RADIUS:
        return
    where = TimeRange(0, max(1, film.duration_us))
    measured = {
        "matched_frames": 1,
        "ref_start_us": int(known.at_us[n]),
        "ref_end_us": int(known.until_us[n]),
        "mean_distance": float(d[n]),
    }
    yield _finding(film, work, VIDEO, 1 - float(d[n]) / (2 * pdq.RADIUS), where, 1, measured)


def _nearest(many: Print, one: Print) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """For each frame of `many` the bits to the nearest frame of `one`, with or without bars, mirrored or not."""
    ways = [(x, y) for x in (many.hashes, many.inner, many.mirrored) for y in (one.hashes, one.inner)]
    nearest = np.min([pdq.distances(x, y).min(axis=1) for x, y in ways], axis=0)
    return np.asarray(nearest, np.float64)


def _finding(
    film: Film, work: Work, category: str, score: float, where: TimeRange, frames: int, measured: dict[str, float]
) -> Finding:
    return Finding(
        classifier=classifier.name,
        version=classifier.version,
        category=category,
        score_millionths=millionths(score),
        surface=Surface.IMAGE,
        where=where,
        frames=frames,
        measured=measured,
        work=work.id,
        evidence=f"frame:{min(where.start_us + where.length_us // 2, film.duration_us - 1)}",
    )


class _NearCopy:
    name = "near_copy"
    version = "pdq-1"
    emits = frozenset({VIDEO, PICTURE})
    cadence = Cadence.EVERY
    looks_at = frozenset(AssetKind) - {AssetKind.AUDIO, AssetKind.SCRIPT, AssetKind.STORYBOARD, AssetKind.BRANCH_MAP}

    def open(self, film: Film, context: Context) -> Look:
        """Ready to hash `film`. `context.options["cache"]` names a folder where prints of references are kept."""
        del film
        cache = context.options.get("cache")
        return _Looking(context.registry.works.values(), None if cache is None else Path(cache))


classifier: Classifier = _NearCopy()
