"""Films made for tests: every frame carries its number as a bar code, every second begins with a flash and a beep."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

BITS = 12
RATE = 48000
BEEP_S = 0.05
FORBIDDEN_HZ = 3000
"""A tone laid into a stretch of sound that has to be gone afterwards."""


def film(
    path: Path,
    *,
    seconds: float = 6,
    fps: int = 25,
    size: tuple[int, int] = (144, 256),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int = 50,
    b_frames: int = 3,
    x264: str = "",
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: int = 0,
    sound: str | None = "aac",
    rate: int = RATE,
    forbidden: tuple[float, float] | None = None,
    cues: Sequence[tuple[float, float, str]] = (),
    subtitles: str = "mov_text",
    metadata: dict[str, str] | None = None,
) -> Path:
    """A film of numbered frames. `times` gives each frame's tick of `time_base` (default: every 1/fps)."""
    width, height = size
    base = time_base or Fraction(1, fps * 512)
    ticks = list(times) if times is not None else [round(i / fps / base) for i in range(round(seconds * fps))]
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as target:
        target.metadata.update(metadata or {})
        picture = target.add_stream(codec, rate=fps)
        picture.width, picture.height, picture.pix_fmt = width, height, pix_fmt
        picture.codec_context.time_base = base
        picture.codec_context.gop_size = gop
        if codec == "libx264":
            picture.options = {"preset": "veryfast", "crf": "18", "bf": str(b_frames), "x264-params": x264}
        if rotation:
            picture.set_display_rotation(-rotation)
        audio = None
        if sound is not None:
            audio = target.add_stream(sound, rate=rate, layout="mono")
            audio.bit_rate = 96_000
        text = None
        if cues:
            text = target.add_stream(subtitles)
            text.codec_context.subtitle_header = b"[Events]\nFormat: Layer, Start, End, Style, Text\n"
        packets: list[Any] = []
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(numbered(number, width, height, flash=number % fps == 0), format="gray")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = tick, base
            packets += picture.encode(frame)
        packets += picture.encode(None)
        if audio is not None:
            packets += _sound(audio, seconds, rate, forbidden)
        for start, end, words in cues:
            length = len(words.encode()).to_bytes(2, "big") if subtitles == "mov_text" else b""
            cue = av.Packet(length + words.encode())
            cue.pts = cue.dts = round(start * 1000)
            cue.duration, cue.time_base, cue.stream = round((end - start) * 1000), Fraction(1, 1000), text
            packets.append(cue)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            target.mux_one(packet)
    return path


def recording(
    path: Path,
    codec: str,
    *,
    form: str | None = None,
    cover: bytes | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A second of beeps as a sound file, with the JPEG `cover` attached where one is given."""
    with av.open(str(path), "w", format=form, options={"movflags": "use_metadata_tags"} if cover is None else {}) as to:
        to.metadata.update(metadata or {})
        audio: Any = to.add_stream(codec, rate=RATE, layout="mono")
        if cover is not None:
            picture: Any = to.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            to.start_encoding()
            packet = av.Packet(cover)
            packet.pts, packet.dts, packet.time_base, packet.stream = 0, 0, Fraction(1, RATE), picture
            packet.is_keyframe = True
            to.mux_one(packet)
        for made in _sound(audio, 1, RATE, None):
            to.mux_one(made)
    return path


def _sound(stream: Any, seconds: float, rate: int, forbidden: tuple[float, float] | None) -> list[Any]:
    packets = []
    pcm = beeps(seconds, rate, forbidden)
    step = stream.codec_context.frame_size or 1024
    form = stream.codec_context.format.name
    for at in range(0, len(pcm), step):
        block = pcm[None, at : at + step]
        if form.startswith("s16"):
            block = (block * 32767).astype(np.int16)
        elif form.startswith("s32"):
            block = (block * 2147483000).astype(np.int32)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        packets += stream.encode(frame)
    return packets + list(stream.encode(None))


def sound_only(path: Path, *, seconds: float = 6, codec: str = "aac", rate: int = RATE) -> Path:
    """Beeps without pictures."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        for packet in _sound(stream, seconds, rate, None):
            target.mux_one(packet)
    return path


def beeps(seconds: float, rate: int = RATE, forbidden: tuple[float, float] | None = None) -> NDArray[np.float32]:
    """A quiet hum with a loud 1 kHz beep at the start of every second."""
    at = np.arange(round(seconds * rate)) / rate
    pcm = 0.02 * np.sin(2 * np.pi * 220 * at)
    pcm += np.where(at % 1 < BEEP_S, 0.6 * np.sin(2 * np.pi * 1000 * at), 0)
    if forbidden is not None:
        pcm += np.where((at >= forbidden[0]) & (at < forbidden[1]), 0.5 * np.sin(2 * np.pi * FORBIDDEN_HZ * at), 0)
    return pcm.astype(np.float32)


def numbered(number: int, width: int, height: int, *, flash: bool) -> NDArray[np.uint8]:
    """A textured picture whose top eighth says its number in black and white bars; a flash is a white lower half."""
    rows, columns = np.mgrid[0:height, 0:width]
    pixels: NDArray[np.uint8] = (110 + 50 * np.sin((columns + 3 * number) / 9) + 30 * np.cos(rows / 13)).astype(
        np.uint8
    )
    bar = width // BITS
    for bit in range(BITS):
        pixels[: height // 8, bit * bar : (bit + 1) * bar] = 235 if number >> bit & 1 else 16
    if flash:
        pixels[height // 2 :] = 235
    return pixels


def number_of(luma: NDArray[np.uint8]) -> int:
    """The number a decoded picture says."""
    height, width = luma.shape
    bar = width // BITS
    row = luma[height // 32 : height // 10]
    return sum(
        1 << bit for bit in range(BITS) if row[:, bit * bar + bar // 4 : (bit + 1) * bar - bar // 4].mean() > 125
    )


def frames(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """Every frame of a film: seconds after the first, upright luma."""
    found = []
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            found.append((float(frame.pts * frame.time_base), np.rot90(luma, frame.rotation // 90)))
    return [(at - found[0][0], luma) for at, luma in found]


def numbers(path: Path) -> list[int]:
    """The numbers of the frames a film shows, in order."""
    return [number_of(luma) for _, luma in frames(path)]


def heard(path: Path) -> tuple[float, NDArray[np.float32], int]:
    """Where the sound of a film begins (seconds after its first frame), its samples as one row, and their rate."""
    with av.open(str(path)) as container:
        zero = 0.0
        if container.streams.video:
            zero = min(float(f.pts * f.time_base) for f in container.decode(video=0))
            container.seek(0)
        blocks, start, rate = [], None, 0
        for frame in container.decode(audio=0):
            start = float(frame.pts * frame.time_base) if start is None else start
            rate = frame.sample_rate
            samples = frame.to_ndarray()
            blocks.append(samples[0].astype(np.float32) / {"i2": 32768, "i4": 2**31}.get(samples.dtype.str[1:], 1))
    return (start or 0.0) - zero, np.concatenate(blocks), rate


def beep_times(path: Path) -> list[float]:
    """When each beep begins, seconds after the first frame."""
    start, pcm, rate = heard(path)
    loud = np.flatnonzero(np.abs(pcm) > 0.2)
    if not len(loud):
        return []
    first = np.concatenate(([True], np.diff(loud) > 0.2 * rate))
    return [start + float(i) / rate for i in loud[first]]


def loudness_at(pcm: NDArray[np.float32], rate: int, hertz: float) -> float:
    """Amplitude of one frequency, the most of any 20 ms."""
    size = rate // 50
    pieces = pcm[: len(pcm) // size * size].reshape(-1, size)
    wave = np.exp(-2j * np.pi * hertz * np.arange(size) / rate)
    return float(np.max(np.abs(pieces @ wave)) * 2 / size) if len(pieces) else 0.0
