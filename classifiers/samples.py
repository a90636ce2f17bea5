"""Looks gathered into samples of equal length, and samples into runs: what lasts counts, single looks flicker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from provenance.asset import TimeRange

SAMPLE_US = 500_000
"""Two samples a second: what the thresholds of docs/models.md were measured at."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a model said of a stretch of a shot, by name."""

    at_us: int
    until_us: int
    shot: int
    scores: Mapping[str, float]

    def lasting(self, until_us: int) -> Sample:
        """The same, standing until `until_us`: a later frame showed nothing else."""
        return replace(self, until_us=max(self.until_us, until_us))


def gathered(looks: Sequence[Sample], shot: TimeRange) -> list[Sample]:
    """The looks of one shot as samples of half a second each: the mean of what was looked at in it or still stood."""
    starts = list(range(shot.start_us, shot.end_us, SAMPLE_US))
    if len(starts) > 1 and shot.end_us - starts[-1] < SAMPLE_US // 2:
        starts.pop()  # a rest of a few frames is no sample of its own: the last one takes it in
    samples: list[Sample] = []
    for at_us, until_us in pairwise([*starts, shot.end_us]):
        within = [s for s in looks if s.at_us < until_us and s.until_us > at_us]
        if within:
            samples.append(Sample(at_us, until_us, within[0].shot, means(within)))
    return samples


def runs(samples: Sequence[Sample], over: Callable[[Sample], bool], needed: int) -> Iterator[list[Sample]]:
    """Every unbroken row of at least `needed` samples for which `over` holds."""
    for holds, row in groupby(samples, key=over):
        run = list(row)
        if holds and len(run) >= needed:
            yield run


def span(run: Sequence[Sample]) -> tuple[int, int]:
    """From the start of the first sample to the end of the last, in microseconds."""
    return run[0].at_us, run[-1].until_us


def means(samples: Sequence[Sample]) -> dict[str, float]:
    """By name the mean over the samples that have it, to a millionth."""
    names = dict.fromkeys(name for s in samples for name in s.scores)
    return {name: round(average([s.scores[name] for s in samples if name in s.scores]), 6) for name in names}


def average(values: Sequence[float]) -> float:
    """The mean of at least one value."""
    return sum(values) / len(values)
