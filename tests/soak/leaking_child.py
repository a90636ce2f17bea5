"""The screening process with a fault put in: it never lets a frame go. Shows that the long runs can fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from classifiers import screen as story
from classifiers.frames import Look
from provenance.media import RawFrame
from tests.soak.screening_child import run

_KEPT: list[RawFrame] = []


class _Keeping:
    """Looks at frames as `Look` does, and keeps them."""

    @staticmethod
    def of(frame: RawFrame) -> Look:
        _KEPT.append(frame)
        return Look.of(frame)


if __name__ == "__main__":
    vars(story)["Look"] = _Keeping
    run(json.loads(Path(sys.argv[1]).read_text("utf-8")))
