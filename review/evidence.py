"""Evidence stills: the frame a finding speaks of, as a small JPEG with the region outlined.

Everything here is plain JSON in and out, so that it can run in the child process that reads hostile bytes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageDraw, ImageOps

from provenance.edit import opened, picture_stream
from provenance.failure import Refused
from provenance.media import MAX_STILL_PIXELS, probe
from review import sandbox

LONGEST_SIDE = 640
"""Pixels of a still's longer side: a face or a line of subtitles is recognisable, and fifty of them stay under 4 MB."""
MOST_DECODED = 1500
"""Frames decoded for one still at most: a minute without a key frame at 25 fps."""
_OUTLINE = (255, 64, 64)
LIMITS = sandbox.Limits(wall_s=120.0, cpu_s=120)
"""For all stills of one report: each takes well under a second; two minutes are for the worst file."""


def stills(path: str, wanted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One still for each of `wanted` ({"at_us", "region"?}), in their order.

    Answers {"stills": [{"at_us", "jpeg"} | {"at_us", "why"}]}: `jpeg` is base64, `why` says what stood in the way.
    Raises Unusable where `path` is not media.
    """
    file = Path(path)
    info = probe(file)
    if info.width == 0:
        return {"stills": [{"at_us": w["at_us"], "why": "the work has no picture"} for w in wanted]}
    made = _of_picture(file, wanted) if info.still else _of_film(file, wanted, info.rotation)
    return {"stills": made}


def stills_apart(path: str, wanted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `stills` answers, from a child process: the file is a stranger's. Where it fails, every still says why."""
    arguments = {"path": path, "wanted": [dict(w) for w in wanted]}
    try:
        return sandbox.call("review.evidence:stills", arguments, LIMITS)
    except (Refused, sandbox.Stopped) as stopped:
        return {"stills": [{"at_us": w["at_us"], "why": str(stopped)} for w in wanted]}


def _of_picture(path: Path, wanted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    with Image.open(path) as file:
        if file.width * file.height > MAX_STILL_PIXELS:
            return [{"at_us": w["at_us"], "why": "the picture is too large to show"} for w in wanted]
        upright = ImageOps.exif_transpose(file).convert("RGB")
    return [{"at_us": w["at_us"], "jpeg": _jpeg(upright.copy(), w.get("region"))} for w in wanted]


def _of_film(path: Path, wanted: Sequence[Mapping[str, Any]], rotation: int) -> list[dict[str, Any]]:
    made: dict[int, dict[str, Any]] = {}
    with opened(path) as container:
        stream = picture_stream(container)
        stream.thread_type = "AUTO"
        origin = _first_pts(container, stream)
        for number in sorted(range(len(wanted)), key=lambda n: int(wanted[n]["at_us"])):
            at_us = int(wanted[number]["at_us"])
            try:
                frame = _frame_at(container, stream, origin, at_us)
            except av.error.FFmpegError as error:
                made[number] = {"at_us": at_us, "why": f"the frame cannot be decoded ({error.strerror or error})"}
                continue
            if frame is None:
                made[number] = {"at_us": at_us, "why": "no frame is shown at this time"}
                continue
            picture = frame.to_image()
            if rotation:
                picture = picture.rotate(-rotation, expand=True)
            made[number] = {"at_us": at_us, "jpeg": _jpeg(picture, wanted[number].get("region"))}
    return [made[number] for number in range(len(wanted))]


def _first_pts(container: Any, stream: Any) -> int:
    for frame in _decoded(container, stream):
        return int(frame.pts)
    return 0


def _frame_at(container: Any, stream: Any, origin: int, at_us: int) -> Any:
    """The frame shown at `at_us`, found from the key frame before it; None where there is none."""
    tick = origin + int(at_us / (stream.time_base * 1_000_000))
    container.seek(max(0, tick), stream=stream, backward=True, any_frame=False)
    shown = None
    for number, frame in enumerate(_decoded(container, stream)):
        if frame.pts is not None and frame.pts > tick and shown is not None:
            break
        if number >= MOST_DECODED:
            break
        shown = frame
    return shown


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    for packet in container.demux(stream):
        yield from packet.decode()


def _jpeg(picture: Image.Image, region: Sequence[float] | None) -> str:
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if region is not None:
        x, y, w, h = region
        width, height = picture.size
        box = (x * width, y * height, min((x + w) * width, width - 1), min((y + h) * height, height - 1))
        ImageDraw.Draw(picture).rectangle(box, outline=_OUTLINE, width=max(3, max(width, height) // 100))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80, optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
