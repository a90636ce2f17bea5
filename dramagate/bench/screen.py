"""What screening costs over decoding alone: CPU seconds of both, of the same film, in one run."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av

from classifiers.classifier import Classifier, Context, installed
from classifiers.screen import screen
from classifiers.weights import WeightStore
from dramagate.bench import films
from provenance.asset import AssetKind
from provenance.registry import Registry

MEDIAN_TARGET, WORST_TARGET = 2.5, 4.0
"""Design section 8."""
DECODES = 3


def bench_screen(
    folder: Path,
    *,
    weights: WeightStore | None = None,
    registry: Registry | None = None,
    classifiers: Mapping[str, Classifier] | None = None,
) -> list[dict[str, Any]]:
    """Rows for each of the four films, and the median and the worst of their ratios.

    `folder` holds the films (drawn on first use). All installed classifiers run unless others are
    given; what they lacked weights for is named under "not_checked", so that a cheap number that
    left something out is not mistaken for a fast one.
    """
    context = Context(registry or Registry(), weights or WeightStore(_weights()))
    chosen = installed() if classifiers is None else classifiers
    rows: list[dict[str, Any]] = []
    for name, path in films.made(folder / "films").items():
        decode_s = statistics.median(_decode_s(path) for _ in range(DECODES))
        began = time.process_time()
        screening = screen(path, AssetKind.EPISODE, classifiers=chosen, context=context)
        screen_s = time.process_time() - began
        rows.append(
            {
                "id": f"screen.{name}.cpu_over_decode",
                "value": round(screen_s, 3),
                "unit": "cpu s",
                "baseline": round(decode_s, 3),
                "ratio": round(screen_s / decode_s, 3),
                "target": WORST_TARGET,
                "frames": {r.classifier: [r.frames_examined, r.frames_total] for r in screening.ran},
                "cpu_ms": {r.classifier: r.cpu_ms for r in screening.ran},
                "not_checked": sorted(gap.classifier for gap in screening.gaps),
                "sha256": json.loads((folder / "films" / "films.json").read_text("utf-8"))[name],
            }
        )
    ratios = [row["ratio"] for row in rows]
    return [
        _summary("screen.cpu_over_decode", statistics.median(ratios), MEDIAN_TARGET),
        _summary("screen.cpu_over_decode_worst", max(ratios), WORST_TARGET),
        *rows,
    ]


def _summary(name: str, ratio: float, target: float) -> dict[str, Any]:
    return {
        "id": name,
        "value": round(ratio, 3),
        "unit": "times decode",
        "baseline": 1.0,
        "ratio": round(ratio, 3),
        "target": target,
    }


def _decode_s(path: Path) -> float:
    """CPU seconds of decoding every frame and doing nothing with it, with the threads the screen uses."""
    began = time.process_time()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for _ in container.decode(stream):
            pass
    return time.process_time() - began


def _weights() -> Path:
    from review.settings import load

    return load().weights
