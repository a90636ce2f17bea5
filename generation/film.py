"""Coding films: shots one by one, and the episode they are joined to with sound, subtitles and the AI label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from generation import lettering
from generation.paint import Bytes, Floats
from generation.sound import RATE
from generation.storyboard import FPS, HEIGHT, WIDTH, Board
from provenance import media
from provenance.edit import Picture
from provenance.label import Overlay

SHOT_QUALITY = {"crf": "14", "preset": "ultrafast"}
"""Shots are coded once more into the episode, so they keep what that coding will want to see."""
EPISODE_QUALITY = {"crf": "23", "preset": "veryfast"}
GROUP = 48
"""A key frame at least every two seconds, so that a cut re-encodes little."""
LABEL_FRAMES = 84
"""The AI label stands 3.5 s. GB 45438-2025 asks for 2 s at normal speed."""
SUBTITLE_PX = 50
SECOND_PX = 44
"""Sizes of the two subtitle languages; 44 px of 720 is what a telephone shows as 3.5 mm."""
SUBTITLE_BOTTOM = 1040
"""Players put their captions and buttons below: a fifth of the picture (provenance.label.MARGINS)."""
SAMPLES = 1024

Frames = Iterator[Bytes]


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle, in frames of the episode, half-open."""

    start: int
    end: int
    text: str
    translation: str


def cues(board: Board) -> tuple[Cue, ...]:
    """Every line of the episode as a subtitle; lines said together share one."""
    found: list[Cue] = []
    for shot in board.shots:
        for said in shot.speeches:
            start = shot.start_frame + said.start_frame
            end = min(start + said.frames + FPS // 4, shot.start_frame + shot.frames)
            if found and start < found[-1].end:
                last = found[-1]
                if start <= last.start:
                    both = (
                        f"{last.text} / {said.text}",
                        " / ".join(filter(None, (last.translation, said.translation))),
                    )
                    found[-1] = Cue(last.start, max(last.end, end), *both)
                    continue
                found[-1] = Cue(last.start, start, last.text, last.translation)
            found.append(Cue(start, end, said.text, said.translation))
    return tuple(found)


def write_shot(path: Path, frames: Iterator[Bytes], sound: Floats | None = None) -> None:
    """Code `frames` (rgb) as one shot, with `sound` (stereo) where it has its own."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as out:
        video = _video(out, SHOT_QUALITY)
        audio = _audio(out) if sound is not None else None
        for n, frame in enumerate(frames):
            _mux_picture(out, video, av.VideoFrame.from_ndarray(_to_planes(frame), format="yuv420p"), n)
        _flush(out, video)
        if audio is not None and sound is not None:
            for packet in _coded(audio, sound):
                out.mux(packet)


def clip_frames(path: Path, start_us: int, end_us: int) -> Iterator[Bytes]:
    """A stretch of another film at 24 frames a second, fitted into the picture with black around it."""
    count = max(1, (end_us - start_us) * FPS // 1_000_000)
    n = 0
    shown: Bytes | None = None
    for frame in _decoded(path):
        while shown is not None and n < count and start_us + n * 1_000_000 // FPS < frame.at_us:
            yield shown
            n += 1
        if n >= count:
            return
        if frame.until_us > start_us:
            shown = _letterboxed(frame.rgb())
    while shown is not None and n < count:
        yield shown
        n += 1


def _decoded(path: Path) -> Iterator[media.RawFrame]:
    with media.decode(path) as decoding:
        yield from decoding


def clip_sound(path: Path, start_us: int, end_us: int) -> Floats | None:
    """The sound of that stretch, stereo at 48 kHz; None where the film has none."""
    with av.open(str(path)) as source:
        if not source.streams.audio:
            return None
        track = source.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        want = (end_us - start_us) * RATE // 1_000_000
        out = np.zeros((want, 2), np.float32)
        at = None
        for decoded in source.decode(track):
            for frame in resampler.resample(decoded):
                block = frame.to_ndarray().T
                if at is None:
                    first = float(decoded.pts * decoded.time_base) if decoded.pts is not None else 0.0
                    at = round(first * RATE) - start_us * RATE // 1_000_000
                lo, hi = max(0, at), min(want, at + len(block))
                if lo < hi:
                    out[lo:hi] = block[lo - at : hi - at]
                at += len(block)
            if at is not None and at >= want:
                break
        return out


def assemble(
    path: Path,
    board: Board,
    shots: Sequence[Path],
    sound: Floats,
    *,
    font: Path,
    label: Overlay | None,
) -> None:
    """Join `shots` to one film with `sound`, subtitles burned in and as tracks, and the label at its opening."""
    titles = cues(board)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as out:
        video, audio = _video(out, EPISODE_QUALITY), _audio(out)
        tracks = [(_text(out, "zho"), [c.text for c in titles]), (_text(out, "eng"), [c.translation for c in titles])]
        waiting = _coded(audio, sound)
        packet = next(waiting, None)
        shown = 0
        for n, planes in enumerate(_planes(shots)):
            for i in range(shown, len(titles)):
                if titles[i].start > n:
                    break
                for track, texts in tracks:
                    _mux_text(out, track, titles[i], texts[i])
                shown = i + 1
            _burn_subtitle(planes, next((c for c in titles if c.start <= n < c.end), None), font)
            if label is not None and n < LABEL_FRAMES:
                label(_picture(planes))
            _mux_picture(out, video, av.VideoFrame.from_ndarray(planes, format="yuv420p"), n)
            while packet is not None and packet.pts * packet.time_base <= Fraction(n + 1, FPS):
                out.mux(packet)
                packet = next(waiting, None)
        _flush(out, video)
        while packet is not None:
            out.mux(packet)
            packet = next(waiting, None)


def sounds_of(shots: Sequence[Path], board: Board) -> Floats:
    """What the shots themselves are heard with, laid where they stand in the episode; stereo."""
    out = np.zeros((board.frames * RATE // FPS, 2), np.float32)
    for shot, path in zip(board.shots, shots, strict=True):
        if shot.framing == "clip" and (own := clip_sound(path, 0, shot.frames * 1_000_000 // FPS)) is not None:
            start = shot.start_frame * RATE // FPS
            ramp = np.minimum(1, np.minimum(np.arange(len(own)), np.arange(len(own))[::-1]) / (0.02 * RATE))
            out[start : start + len(own)] += own * ramp[:, None].astype(np.float32)
    return out


# fmt: off
_BT709 = np.array([
    [ 0.2126 * 219,           0.7152 * 219,           0.0722 * 219],
    [-0.2126 * 224 / 1.8556, -0.7152 * 224 / 1.8556,  0.9278 * 224 / 1.8556],
    [ 0.7874 * 224 / 1.5748, -0.7152 * 224 / 1.5748, -0.0722 * 224 / 1.5748],
]) / 255
# fmt: on
_TO_YUV = np.column_stack([_BT709, [16, 128, 128]])
"""Full-range RGB to limited-range Y'CbCr. Source: ITU-R BT.709-6, items 3.2 to 3.5."""


def _to_planes(rgb: Bytes) -> Bytes:
    """A frame as yuv420p planes, one above the other, uint8[1920, 720]."""
    yuv = cv2.transform(rgb, _TO_YUV)
    out = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    picture = _picture(out)
    cv2.extractChannel(yuv, 0, dst=picture.y)
    for channel, plane in ((1, picture.u), (2, picture.v)):
        small = cv2.resize(cv2.extractChannel(yuv, channel), (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        plane[...] = small
    return out


def _video(out: Any, quality: dict[str, str]) -> Any:
    stream = out.add_stream("libx264", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    stream.time_base = Fraction(1, FPS)
    coder = stream.codec_context
    coder.colorspace = coder.color_primaries = coder.color_trc = 1  # BT.709
    coder.color_range = 1  # 16..235
    # Without B-frames x264 gives the same bytes every time; with them its mbtree reads memory nobody wrote
    # (found with MALLOC_PERTURB_, PyAV 18.1.0, 2026-11-20).
    stream.options = {**quality, "x264-params": f"keyint={GROUP}:min-keyint=2:open-gop=0:bframes=0"}
    return stream


def _audio(out: Any) -> Any:
    stream = out.add_stream("aac", rate=RATE)
    stream.layout = "stereo"
    stream.bit_rate = 128_000
    return stream


_STYLE = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Sans,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def _text(out: Any, language: str) -> Any:
    stream = out.add_stream("mov_text")
    stream.metadata["language"] = language
    stream.time_base = Fraction(1, 1000)
    stream.codec_context.subtitle_header = _STYLE
    return stream


def _mux_text(out: Any, track: Any, cue: Cue, text: str) -> None:
    if not text:
        return
    said = text.encode()[:65_000]
    packet = av.Packet(len(said).to_bytes(2, "big") + said)
    packet.stream, packet.time_base = track, Fraction(1, 1000)
    packet.pts = packet.dts = cue.start * 1000 // FPS
    packet.duration = (cue.end - cue.start) * 1000 // FPS
    packet.is_keyframe = True
    out.mux(packet)


def _mux_picture(out: Any, stream: Any, picture: Any, n: int) -> None:
    picture.pts, picture.time_base = n, Fraction(1, FPS)
    picture.colorspace, picture.color_range = 1, 1
    for packet in stream.encode(picture):
        out.mux(packet)


def _flush(out: Any, stream: Any) -> None:
    for packet in stream.encode():
        out.mux(packet)


def _coded(stream: Any, sound: Floats) -> Iterator[Any]:
    for start in range(0, len(sound), SAMPLES):
        block = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[start : start + SAMPLES].T), "fltp", "stereo")
        block.sample_rate, block.pts, block.time_base = RATE, start, Fraction(1, RATE)
        yield from stream.encode(block)
    yield from stream.encode()


def _planes(shots: Sequence[Path]) -> Iterator[Bytes]:
    for path in shots:
        with av.open(str(path)) as source:
            source.streams.video[0].thread_type = "AUTO"
            for frame in source.decode(video=0):
                yield np.ascontiguousarray(frame.to_ndarray(format="yuv420p"))


def _picture(planes: Bytes) -> Picture:
    """The three planes of a frame as views into its one array."""
    quarter = HEIGHT // 4
    u = planes[HEIGHT : HEIGHT + quarter].reshape(HEIGHT // 2, WIDTH // 2)
    v = planes[HEIGHT + quarter :].reshape(HEIGHT // 2, WIDTH // 2)
    return Picture(planes[:HEIGHT], u, v, full_range=False)


def _burn_subtitle(planes: Bytes, cue: Cue | None, font: Path) -> None:
    if cue is None:
        return
    light, cover, x, y = _subtitle(cue.text, cue.translation, font)
    picture = _picture(planes)
    for plane, ink, share, at in (
        (picture.y, light, cover, (x, y)),
        (picture.u, None, cover[::2, ::2], (x // 2, y // 2)),
        (picture.v, None, cover[::2, ::2], (x // 2, y // 2)),
    ):
        part = plane[at[1] : at[1] + share.shape[0], at[0] : at[0] + share.shape[1]]
        over = np.full(share.shape, 128, np.uint16) if ink is None else ink
        part[...] = (part * (255 - share) + over * share + 127) // 255


@lru_cache(maxsize=8)
def _subtitle(text: str, translation: str, font: Path) -> tuple[Any, Any, int, int]:
    """Luma, opacity and place of a subtitle: white on a black outline, the second language beneath."""
    rows = [lettering.words("\n".join(lettering.wrap(text, font, SUBTITLE_PX, 640)), font, SUBTITLE_PX, stroke=5)]
    if translation:
        second = "\n".join(lettering.wrap(translation, font, SECOND_PX, 660))
        rows.append(lettering.words(second, font, SECOND_PX, stroke=4, spacing=1.16))
    width = max(r.shape[1] for r in rows) // 2 * 2 + 2
    height = sum(r.shape[0] for r in rows) // 2 * 2 + 2
    whole = np.zeros((height, width, 4), np.uint8)
    at = 0
    for row in rows:
        left = (width - row.shape[1]) // 2
        whole[at : at + row.shape[0], left : left + row.shape[1]] = row
        at += row.shape[0]
    share = whole[:, :, 3].astype(np.uint16)
    light = 16 + whole[:, :, 1].astype(np.uint16) * 255 // np.maximum(share, 1) * 219 // 255
    x = max(0, (WIDTH - width) // 2 // 2 * 2)
    return light, share, x, (SUBTITLE_BOTTOM - height) // 2 * 2


def _letterboxed(rgb: Bytes) -> Bytes:
    h, w = rgb.shape[:2]
    scale = min(WIDTH / w, HEIGHT / h)
    width, height = min(WIDTH, round(w * scale)), min(HEIGHT, round(h * scale))
    if (width, height) == (w, h) == (WIDTH, HEIGHT):
        return rgb
    out = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y = (WIDTH - width) // 2, (HEIGHT - height) // 2
    out[y : y + height, x : x + width] = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return out
