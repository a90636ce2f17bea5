"""Media files: what they hold, their frames in order, and lossless remuxing. Only this module knows PTS and time bases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import av


class Unusable(Exception):
    """The file cannot be used as what it claims to be. One sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a container holds, in display orientation."""

    container: str
    mime: str
    duration_us: int
    width: int
    """0 where there is no picture."""
    height: int
    rotation: int
    """Degrees clockwise the decoded frames must be turned to stand upright: 0, 90, 180, 270."""
    fps: float
    video_codec: str | None
    audio_codec: str | None
    subtitle_tracks: int
    still: bool
    """Whether it is one picture rather than a film."""


def probe(path: Path) -> MediaInfo:
    """What `path` holds. Raises Unusable for anything that is not readable media."""
    raise NotImplementedError(path)


def remux(src: Path, dst: Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Rewrite `src` as `dst` with the same coded samples in a container we laid out ourselves.

    `metadata` is written as container metadata (for mp4/mov as mdta keys, so that AIGC survives).
    Raises Unusable where the container cannot be read or laid out anew.
    """
    raise NotImplementedError(av, src, dst, metadata)
