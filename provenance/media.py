"""Media files: what they hold, their frames in order, and lossless remuxing. Only this module knows PTS and time bases.

Films and sound are read by FFmpeg through PyAV, pictures by Pillow. Both are opened with the formats
named here and no others: FFmpeg also knows playlists, image patterns and network protocols, and a
submitted file is never allowed to name another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import struct
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from provenance import id3, stills, vorbis
from provenance.failure import Refused

Pixels = NDArray[np.uint8]

MAX_SIDE = 8192
"""Longest side in pixels, and `MAX_PIXELS` the area: 8K UHD (7680x4320) fits, four times it does not."""
MAX_PIXELS = 8192 * 4608
MAX_STILL_PIXELS = 100_000_000
"""Of a single picture; a poster scanned at 600 dpi fits. One such picture decodes to 300 MB."""
MAX_DURATION_US = 6 * 3600 * 1_000_000
"""An episode is minutes; 6 h leaves room for a compilation and keeps arithmetic and time bounded."""
MAX_ANIMATION_FRAMES = 20_000
"""Of a GIF, WebP or PNG animation: a quarter of an hour at 24 fps."""
MAX_FRAMES_PER_S = 240
"""Of the fastest frame rate cameras write; more in any one second is a trick on the screener."""
SHORT_BY = Fraction(2, 100)
"""How much of the declared length may be missing at the end before a file counts as truncated..."""
SHORT_BY_US = 1_000_000
"""...and how much in any case: muxers round the last frame and pad sound by less than a second."""

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpeg,mpegvideo,asf,"
    "h264,hevc,obu,ivf,m4v,ogg,wav,w64,aiff,mp3,flac,aac,ac3,eac3,amr,caf"
)
_OPEN = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_MIMES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "m4a": "audio/mp4",
    "webm": "video/webm",
    "matroska": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
    "mpeg": "video/mpeg",
    "flv": "video/x-flv",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "aac": "audio/aac",
}
_OURS = {"mp4", "mov", "m4a"}
"""Containers `remux` lays out as ISO media, the one family that can carry both seal and label."""
_IN_MP4 = {"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores", "png"} | {
    *("aac", "mp3", "mp2", "ac3", "eac3", "opus", "flac", "alac", "vorbis", "pcm_s16le", "pcm_s16be", "pcm_s24le"),
    "mov_text",
}
_TEXT_SUBTITLES = {"subrip", "srt", "text", "webvtt", "ass", "ssa"}
_BRAND_KEYS = {"major_brand", "minor_version", "compatible_brands"}


class Unusable(Refused):
    """The file cannot be used as what it claims to be. One sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a container holds, in display orientation."""

    container: str
    """mp4 | mov | m4a | matroska | webm | avi | ... | png | jpeg | gif | webp | ..."""
    mime: str
    duration_us: int
    """From the first frame to the end of the longest track; 1 for a still."""
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


# --- the story: probe, decode, remux ---------------------------------------------------------


def probe(path: Path) -> MediaInfo:
    """What `path` holds. Raises Unusable for anything that is not readable media.

    Reads headers and tables only; `decode` finds what is wrong with the samples themselves.
    """
    _must_be_a_file(path)
    if stills.kind(path) is not None:
        with _picture(path) as picture:
            return _still_info(path, picture)
    with _container(path) as container:
        return _film_info(path, container)


@contextlib.contextmanager
def decode(path: Path) -> Iterator[Decoding]:
    """The frames of `path` in order of time, once. Iterate over what is yielded.

    Raises Unusable, here or while iterating, for files that cannot be decoded to their declared end.
    """
    _must_be_a_file(path)
    if stills.kind(path) is not None:
        with _picture(path) as picture:
            yield _PictureDecoding(path, picture, _still_info(path, picture))
        return
    with _container(path) as container:
        yield _FilmDecoding(path, container, _film_info(path, container))


def sound(path: Path, rate_hz: int) -> NDArray[np.float32]:
    """float32[n]: the first audio track mixed to one channel at `rate_hz`, -1..1; empty where there is none.

    Sample 0 is at the container's time zero, so that times agree with the picture's. Raises Unusable.
    """
    _must_be_a_file(path)
    if stills.kind(path) is not None:
        raise Unusable(f"{path.name} is a picture: it holds no sound")
    with _container(path) as container:
        if not container.streams.audio:
            return np.zeros(0, np.float32)
        return _sound(path, container, container.streams.audio[0], rate_hz)


def remux(src: Path, dst: Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Rewrite `src` as `dst` with the same coded samples in a container we laid out ourselves.

    `metadata` is added to the container metadata `src` has (for mp4/mov as mdta keys, so that AIGC
    survives); an empty value removes a key. The format follows the suffix of `dst`, or else of `src`.
    Text subtitles become mov_text where the target wants it; data tracks and attachments are left behind.
    Raises Unusable where the container cannot be read or laid out anew.
    """
    _must_be_a_file(src)
    if stills.kind(src) is not None:
        raise Unusable(f"{src.name} is a picture: it has no tracks to lay out anew, so copy it as it is")
    with _container(src) as source:
        info = _film_info(src, source)
        _rewrite(src, source, dst, _format_for(dst, info), _kept_metadata(source, metadata))


def normalise(src: Path, dst: Path) -> str:
    """Lay `src` out anew as `dst` and return its essence. Same coded samples, our container.

    Films and mp4 sound become mp4 (faststart, one moov, samples in one mdat, nothing between), whatever
    the suffix of `dst`; codecs mp4 cannot carry go into Matroska; pictures and other sound files are
    copied byte for byte. A film's cover picture is left behind; sound that carries one is refused, because
    nothing looks at it. Raises Unusable.
    """
    info = probe(src)
    if info.width == 0:
        _no_cover(src)
    container = _normal_container(src, info)
    if container is None:
        of = essence(src)
        shutil.copyfile(src, dst)
        return of
    with _container(src) as source:
        _rewrite(src, source, dst, container, _kept_metadata(source, None))
    try:
        return essence(dst)
    except Unusable as wrong:  # its sentence names a file that nobody submitted
        raise Unusable(f"{src.name} is damaged so that it cannot be laid out anew: export it again") from wrong


def tags(path: Path) -> tuple[tuple[str, str], ...]:
    """Key and value of every tag that a film or a recording carries: the file's, its tracks' and its chapters'.

    As stored, each pair once; empty for pictures. Raises Unusable.
    """
    _must_be_a_file(path)
    if stills.kind(path) is not None:
        return ()
    with _container(path) as container:
        chapters = [chapter.get("metadata") or {} for chapter in container.chapters()]
        places = [container.metadata, *(stream.metadata for stream in container.streams), *chapters]
        return tuple(dict.fromkeys((str(key), str(value)) for place in places for key, value in place.items()))


def essence(path: Path) -> str:
    """SHA-256 over the coded samples and their timing, stream by stream; lower-case hex.

    Equal before and after `remux` between containers that store samples alike, and whatever is
    written into metadata. For pictures: over the coded picture data without metadata chunks.
    Raises Unusable.
    """
    _must_be_a_file(path)
    if stills.kind(path) is not None:
        with _saying(path):
            return stills.essence(path)
    with _container(path) as container:
        return _film_essence(path, container)


# --- frames ----------------------------------------------------------------------------------


class RawFrame:
    """One decoded frame, upright, with its time. Pixels are made when first asked for.

    Where a film changes its picture size midway, later frames are scaled to the first one's size.
    """

    __slots__ = ("_luma", "_luma64", "_picture", "_rgb", "_turn", "at_us", "height", "index", "until_us", "width")

    def __init__(self, picture: Any, index: int, at_us: int, until_us: int, size: tuple[int, int], turn: int) -> None:
        self._picture = picture
        self._turn = turn
        self._rgb: Pixels | None = None
        self._luma: Pixels | None = None
        self._luma64: NDArray[np.float32] | None = None
        self.index = index
        self.at_us = at_us
        self.until_us = until_us
        self.width, self.height = size

    def luma(self) -> Pixels:
        """uint8[height, width]: full-range luma."""
        if self._luma is None:
            if isinstance(self._picture, np.ndarray):
                self._luma = np.asarray(cv2.cvtColor(self._picture, cv2.COLOR_RGB2GRAY), np.uint8)
            else:
                plane, black, scale = _plane(self._picture)
                self._luma = self._upright(_eight_bit(plane, black, scale))
        return self._luma

    def rgb(self) -> Pixels:
        """uint8[height, width, 3]: sRGB order, converted by the film's own matrix (BT.601, 709 or 2020)."""
        if self._rgb is None:
            picture = self._picture
            self._rgb = picture if isinstance(picture, np.ndarray) else self._upright(_to_rgb(picture))
        return self._rgb

    def luma64(self) -> NDArray[np.float32]:
        """float32[64, 64]: the area-averaged full-range luma of the whole picture, 0..255."""
        if self._luma64 is None:
            if isinstance(self._picture, np.ndarray):
                plane, black, scale = self.luma(), 0.0, 1.0
            else:
                plane, black, scale = _plane(self._picture)
            small = _area(plane, 64).astype(np.float32)
            if black or scale != 1.0:
                small = np.clip((small - np.float32(black)) * np.float32(scale), 0, 255)
            turned = small if isinstance(self._picture, np.ndarray) else np.rot90(small, -self._turn // 90)
            self._luma64 = np.ascontiguousarray(turned, np.float32)
        return self._luma64

    def chroma32(self) -> NDArray[np.float32]:
        """float32[2, 32, 32]: area-averaged colour differences (Cb, Cr), about -128..127; zeros where there is none."""
        if isinstance(self._picture, np.ndarray):
            small = cv2.resize(self._picture, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
            luma = small @ np.array([0.299, 0.587, 0.114], np.float32)
            both = np.stack(((small[..., 2] - luma) * 0.564, (small[..., 0] - luma) * 0.713))
            return np.ascontiguousarray(both, np.float32)
        both = _chroma(self._picture)
        return np.ascontiguousarray(np.rot90(both, -self._turn // 90, axes=(1, 2)), np.float32)

    def _upright(self, pixels: Pixels) -> Pixels:
        turned = np.rot90(pixels, -self._turn // 90) if self._turn else pixels
        if turned.shape[:2] != (self.height, self.width):
            turned = np.asarray(cv2.resize(turned, (self.width, self.height), interpolation=cv2.INTER_AREA), np.uint8)
        return np.ascontiguousarray(turned)


class Decoding:
    """The frames of one file, to be iterated once. What is only known at the end is None until then."""

    info: MediaInfo
    frames_total: int | None = None
    duration_us: int | None = None
    """The end of the last frame or of the longest track, whichever is later."""

    def __iter__(self) -> Iterator[RawFrame]:
        """Frames in order of time. Raises Unusable where decoding fails or falls short."""
        raise NotImplementedError


class _FilmDecoding(Decoding):
    def __init__(self, path: Path, container: Any, info: MediaInfo) -> None:
        self._path = path
        self._container = container
        self.info = info

    def __iter__(self) -> Iterator[RawFrame]:
        """Frames with the time of the next one as their end."""
        info = self.info
        if info.width == 0:
            self.frames_total, self.duration_us = 0, info.duration_us
            return
        stream = _picture_stream(self._path, self._container)
        size = (info.width, info.height)
        step = Fraction(1) / Fraction(info.fps or 25).limit_denominator(100_000)
        clock = _Clock(self._path, Fraction(stream.time_base), step)
        last: RawFrame | None = None
        index = 0
        for picture in self._pictures(stream):
            at_us = clock.next(picture.pts, picture.duration)
            if last is not None:
                last.until_us = max(clock.ceil_us, last.at_us + 1)
                yield last
            last = RawFrame(picture, index, at_us, at_us + 1, size, info.rotation)
            index += 1
        if last is None:
            raise Unusable(f"{self._path.name} holds no frame that can be decoded: export it again")
        last.until_us = max(clock.end_us(), last.at_us + 1)
        lead_us = clock.first_us if stream.start_time is None else 0  # where lengths are counted from time zero
        self._must_be_whole(stream, lead_us + last.until_us)
        self.frames_total = index
        self.duration_us = max(last.until_us, info.duration_us - lead_us)
        yield last

    def _pictures(self, stream: Any) -> Iterator[Any]:
        stream.thread_type = "AUTO"
        context = stream.codec_context
        context.options = {"max_pixels": str(MAX_PIXELS)}
        self._fed = 0
        self._got = 0
        with _saying(self._path):
            for packet in self._container.demux(stream):
                if packet.size and not packet.is_discard:
                    self._fed += 1
                if packet.is_corrupt:
                    raise self._damaged(packet, stream)
                for picture in packet.decode():
                    self._got += 1
                    if picture.is_corrupt:
                        raise self._damaged(picture, stream)
                    yield picture

    def _damaged(self, what: Any, stream: Any) -> Unusable:
        """What players show in place of a damaged frame differs; nobody can vouch for it."""
        pts = what.pts if what.pts is not None else what.dts
        where = "in the middle" if pts is None else f"at {float(pts * stream.time_base):.1f} s"
        return Unusable(f"{self._path.name} is damaged {where}: copy or export it again")

    def _must_be_whole(self, stream: Any, end_us: int) -> None:
        name = self._path.name
        declared = int(stream.duration * stream.time_base * 1_000_000) if stream.duration else 0
        if self.info.container in ("matroska", "webm", "flv", "avi") and not declared and self.info.audio_codec is None:
            declared = self.info.duration_us
        short_us = declared - end_us
        if short_us > max(SHORT_BY_US, int(declared * SHORT_BY)):
            raise Unusable(
                f"{name} is truncated: it declares {declared / 1e6:.1f} s of pictures"
                f" and they end at {end_us / 1e6:.1f} s; copy or export it again"
            )
        indexed = self.info.container in ("mp4", "mov")
        if indexed and self._fed < stream.frames - 1:
            raise Unusable(
                f"{name} is truncated: it declares {stream.frames} frames and holds {self._fed};"
                " copy or export it again"
            )
        if indexed and self._got < self._fed - max(2, self._fed // 50):
            raise Unusable(f"{name} is damaged: only {self._got} of {self._fed} frames can be decoded; export it again")


class _Clock:
    """Turns presentation ticks into whole microseconds from the first frame, never backwards."""

    def __init__(self, path: Path, time_base: Fraction, step: Fraction) -> None:
        self._path = path
        self._micros = time_base * 1_000_000
        self._step = step / time_base
        self._first: int | None = None
        self._at: Fraction = Fraction(0)
        self._length: Fraction = self._step
        self._second: list[int] = []
        self.ceil_us = 0

    def next(self, pts: int | None, duration: int | None) -> int:
        """When the next frame is shown, rounded down; `ceil_us` is the same instant rounded up."""
        if self._first is None:
            self._first = pts or 0
            at = Fraction(0)
        elif pts is None:
            at = self._at + self._length
        else:
            at = Fraction(pts - self._first)
            if at < self._at:
                raise Unusable(
                    f"{self._path.name} has timestamps that run backwards"
                    f" at {float(self._at * self._micros) / 1e6:.2f} s:"
                    " export it again"
                )
        self._at = at
        self._length = Fraction(duration) if duration and duration > 0 else self._step
        at_us = int(at * self._micros // 1)
        self.ceil_us = -int(-at * self._micros // 1)
        self._not_absurd(at_us)
        return at_us

    @property
    def first_us(self) -> int:
        """When the first frame is shown by the container's own count."""
        return int((self._first or 0) * self._micros // 1)

    def end_us(self) -> int:
        """When the last frame ends, rounded up."""
        return -int(-(self._at + self._length) * self._micros // 1)

    def _not_absurd(self, at_us: int) -> None:
        if at_us > MAX_DURATION_US:
            raise Unusable(
                f"{self._path.name} has a frame at {at_us / 3.6e9:.1f} h;"
                f" the limit is {MAX_DURATION_US / 3.6e9:.0f} h, so split it or export it again"
            )
        self._second = [t for t in self._second if t > at_us - 1_000_000]
        self._second.append(at_us)
        if len(self._second) > MAX_FRAMES_PER_S + 1:
            raise Unusable(
                f"{self._path.name} shows more than {MAX_FRAMES_PER_S} frames in the second before"
                f" {at_us / 1e6:.2f} s: export it at an ordinary frame rate"
            )


class _PictureDecoding(Decoding):
    def __init__(self, path: Path, picture: Any, info: MediaInfo) -> None:
        self._path = path
        self._picture = picture
        self.info = info

    def __iter__(self) -> Iterator[RawFrame]:
        """The one picture as [0, 1) us, or the pictures of an animation."""
        at_us = 0
        count = getattr(self._picture, "n_frames", 1)
        size = (self.info.width, self.info.height)
        with _saying(self._path):
            shown_us = [1] if self.info.still else _shown_us(self._path, self._picture, count)
        for index in range(count):
            with _saying(self._path):
                self._picture.seek(index)
                rgb = _flattened(self._picture)
            until_us = at_us + shown_us[index]
            yield RawFrame(rgb, index, at_us, until_us, size, 0)
            at_us = until_us
        self.frames_total = count
        self.duration_us = at_us


# --- pixels ----------------------------------------------------------------------------------

_PLANAR = ("yuv4", "yuvj4", "yuva4", "gray", "nv12", "nv21", "nv16", "nv24", "p010le", "p016le", "p210le", "p216le")


def _plane(picture: Any) -> tuple[NDArray[Any], float, float]:
    """The luma plane as a view, with the code value of black and the factor to full range 0..255."""
    name = picture.format.name
    if not name.startswith(_PLANAR) or name.endswith("be") or "f32" in name or "f16" in name:
        picture = picture.reformat(format="gray", threads=1)
        name = "gray"
    plane = picture.planes[0]
    bits = picture.format.components[0].bits
    wide = bits > 8
    row = plane.line_size // (2 if wide else 1)
    pixels = np.frombuffer(plane, np.uint16 if wide else np.uint8).reshape(-1, row)[: picture.height, : picture.width]
    unit = float(1 << (16 - 8)) if name.startswith("p") else float(1 << (bits - 8))
    full = name.startswith(("yuvj", "gray")) or int(picture.color_range) == 2
    return (pixels, 0.0, 1.0 / unit) if full else (pixels, 16.0 * unit, 255.0 / 219.0 / unit)


def _chroma(picture: Any) -> NDArray[np.float32]:
    """Both colour planes at 32x32; from the RGB of the picture where they are not planes of their own."""
    if picture.format.name.startswith("gray"):
        return np.zeros((2, 32, 32), np.float32)
    if picture.format.name not in ("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le"):
        picture = picture.reformat(width=64, height=64, format="yuv420p", threads=1)
    planes = []
    for plane in picture.planes[1:3]:
        wide = picture.format.components[1].bits > 8
        row = plane.line_size // (2 if wide else 1)
        values = np.frombuffer(plane, np.uint16 if wide else np.uint8).reshape(-1, row)[: plane.height, : plane.width]
        unit = 1 << (picture.format.components[1].bits - 8)
        planes.append(_area(values, 32).astype(np.float32) / unit - 128.0)
    return np.stack(planes)


def _eight_bit(plane: NDArray[Any], black: float, scale: float) -> Pixels:
    if black == 0.0 and scale == 1.0:
        return np.ascontiguousarray(plane, np.uint8)
    if plane.dtype == np.uint8:
        ramp = np.clip((np.arange(256) - black) * scale + 0.5, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(np.ascontiguousarray(plane), ramp), np.uint8)
    return np.asarray(np.clip((plane.astype(np.float32) - black) * scale + 0.5, 0, 255), np.uint8)


def _area(plane: NDArray[Any], side: int) -> NDArray[Any]:
    """The plane area-averaged to side x side. Halving exactly while it can is ten times faster than one step (M)."""
    while min(plane.shape) >= 4 * side and plane.shape[0] % 2 == 0 and plane.shape[1] % 2 == 0:
        plane = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(plane.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA))


def _to_rgb(picture: Any) -> Pixels:
    if picture.format.name == "rgb24":
        return np.asarray(picture.to_ndarray(), np.uint8)
    matrix = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020", 10: "BT2020"}.get(
        int(picture.colorspace)
    )
    if matrix is None:
        # Unspecified: what players do, BT.709 from HD upwards and BT.601 below.
        hd = max(picture.width, picture.height) >= 1280 or min(picture.width, picture.height) >= 720
        matrix = "ITU709" if hd else "ITU601"
    if picture.format.name.startswith(("rgb", "bgr", "gbr", "pal", "argb", "abgr")):
        return np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
    out = picture.reformat(format="rgb24", src_colorspace=matrix, threads=1)
    return np.asarray(out.to_ndarray(), np.uint8)


# --- films -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _container(path: Path) -> Iterator[Any]:
    _whole_boxes(path)
    with _saying(path):
        container = av.open(
            f"file:{path.resolve()}",
            metadata_errors="replace",
            options=_OPEN,
        )
    with container:
        yield container


@contextlib.contextmanager
def _saying(path: Path) -> Iterator[None]:
    """Turn what the decoders raise into the one sentence."""
    try:
        yield
    except Unusable:
        raise
    except av.error.FFmpegError as error:
        raise Unusable(_sentence(path, error)) from error
    except UnidentifiedImageError as error:  # its own message is the whole path
        raise Unusable(f"{path.name} is not a picture that can be read: export it again") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unusable(f"{path.name} is not a picture that can be read ({error}): export it again") from error
    except (OSError, SyntaxError, EOFError, ValueError, IndexError, KeyError, struct.error) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise Unusable(f"{path.name} is damaged or cut off ({reason}): export it again") from error


def _sentence(path: Path, error: av.error.FFmpegError) -> str:
    name = path.name
    if _looks_like_text(path):
        return f"{name} is a text file, not media: submit the film itself, or name the script .fountain or .txt"
    if isinstance(error, av.error.InvalidDataError):
        return f"{name} is not media that can be read, or is damaged: export it again as mp4 (H.264 and AAC)"
    if isinstance(error, av.error.PermissionError):
        return f"{name} cannot be opened, permission is denied: make it readable"
    return f"{name} cannot be decoded ({error.strerror}): export it again as mp4 (H.264 and AAC)"


def _looks_like_text(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4
    return True


def _must_be_a_file(path: Path) -> None:
    if path.is_dir():
        raise Unusable(f"{path.name or path} is a folder: name the file inside it")
    if not path.exists():
        raise Unusable(f"{path.name} does not exist: check the path")
    if not path.is_file():
        raise Unusable(f"{path.name} is not an ordinary file: copy it to one")
    if path.stat().st_size == 0:
        raise Unusable(f"{path.name} is empty (0 bytes): copy or export it again")
    if not os.access(path, os.R_OK):
        raise Unusable(f"{path.name} cannot be opened, permission is denied: make it readable")


_TOP_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"styp", b"sidx", b"moof", b"pnot"}


def _whole_boxes(path: Path) -> None:
    """Refuse ISO media whose outermost boxes do not fit the file: it was cut off (or never finished)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:8] not in _TOP_BOXES:
            return
        at, seen = 0, 0
        names: set[bytes] = set()
        while at < size:
            file.seek(at)
            head = file.read(16)
            if len(head) < 8:
                break
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1 and len(head) == 16:
                length = int.from_bytes(head[8:], "big")
            elif length == 0:
                length = size - at
            if length < 8:
                break  # not a box: FFmpeg says what it makes of it
            if at + length > size:
                raise Unusable(
                    f"{path.name} is truncated: {size} bytes of it are here and it declares {at + length};"
                    " copy or export it again"
                )
            names.add(name)
            at += length
            seen += 1
            if seen > 100_000:
                raise Unusable(f"{path.name} has more than 100000 outermost boxes: export it again")
        if b"moov" not in names and names & {b"mdat", b"ftyp"} and at >= size:
            raise Unusable(f"{path.name} has no index (moov): the recording was never finished; export it again")


def _film_info(path: Path, container: Any) -> MediaInfo:
    stream = _picture_stream(path, container)
    audio = container.streams.audio[0] if container.streams.audio else None
    if stream is None and audio is None:
        raise Unusable(f"{path.name} holds neither pictures nor sound: export it again")
    if audio is not None and audio.codec_context is None:
        raise Unusable(f"{path.name} holds sound in a coding nobody here can decode: export it again with AAC sound")
    name = _container_name(container, stream, audio)
    duration_us = _duration_us(path, container, stream or audio)
    width = height = rotation = 0
    fps = 0.0
    if stream is not None:
        context = stream.codec_context
        _sane_size(path, context.width, context.height, MAX_PIXELS)
        rotation = _rotation(path, stream) if name in ("mp4", "mov", "matroska", "webm") else 0
        width, height = (context.height, context.width) if rotation in (90, 270) else (context.width, context.height)
        fps = float(stream.average_rate or stream.guessed_rate or 0)
    return MediaInfo(
        container=name,
        mime=_MIMES.get(name, "application/octet-stream"),
        duration_us=duration_us,
        width=width,
        height=height,
        rotation=rotation,
        fps=fps,
        video_codec=None if stream is None else stream.codec_context.name,
        audio_codec=None if audio is None else audio.codec_context.name,
        subtitle_tracks=len(container.streams.subtitles),
        still=False,
    )


def _picture_stream(path: Path, container: Any) -> Any:
    """The one video track; None where there is none. Cover art is not a track that plays."""
    plays = [
        s for s in container.streams.video if not s.disposition & type(s.disposition).attached_pic and s.codec_context
    ]
    unknown = [s for s in container.streams.video if not s.codec_context]
    if unknown:
        raise Unusable(
            f"{path.name} holds a video track in a codec nobody here can decode, though a player might:"
            " export it as H.264, HEVC, VP9 or AV1"
        )
    if len(plays) > 1:
        raise Unusable(
            f"{path.name} holds {len(plays)} video tracks, and which one is shown depends on the player:"
            " export it with one"
        )
    return plays[0] if plays else None


def _container_name(container: Any, stream: Any, audio: Any) -> str:
    name = str(container.format.name)
    if name.startswith("mov,"):
        brand = container.metadata.get("major_brand", "").strip()
        return "mov" if brand == "qt" else "m4a" if brand in ("M4A", "M4B") and stream is None else "mp4"
    if name.startswith("matroska"):
        codecs = {s.codec_context.name for s in (stream, audio) if s is not None}
        web = codecs <= {"vp8", "libvpx", "vp9", "libvpx-vp9", "av1", "libdav1d", "opus", "libopus", "vorbis"}
        return "webm" if web else "matroska"
    return name.split(",")[0]


def _duration_us(path: Path, container: Any, stream: Any) -> int:
    """The container's declared length, else the stream's; 0 where neither says."""
    start = stream.start_time * stream.time_base * 1_000_000 if stream.start_time else 0
    counted_from = (
        0 if str(container.format.name).startswith(("matroska", "flv")) else max(0, container.start_time or 0)
    )
    lead = max(0, int(start) - counted_from)
    declared = container.duration
    if declared is None and stream.duration:
        declared = int(stream.duration * stream.time_base * 1_000_000)
    duration_us = max(0, int(declared or 0) - lead)
    if duration_us > MAX_DURATION_US:
        raise Unusable(
            f"{path.name} declares {duration_us / 3.6e9:.1f} h;"
            f" the limit is {MAX_DURATION_US / 3.6e9:.0f} h, so split it or export it again"
        )
    return duration_us


def _sane_size(path: Path, width: int, height: int, most: int) -> None:
    if width <= 0 or height <= 0:
        raise Unusable(f"{path.name} has a video track without a picture size: export it again")
    if width * height > most or (most == MAX_PIXELS and max(width, height) > MAX_SIDE):
        raise Unusable(f"{path.name} is {width}x{height} pixels, more than can be screened: scale it down")


def _rotation(path: Path, stream: Any) -> int:
    """Degrees clockwise, as the display matrix says. PyAV shows the matrix on decoded frames only."""
    with (
        contextlib.suppress(av.error.FFmpegError),
        av.open(f"file:{path.resolve()}", metadata_errors="replace", options=_OPEN) as container,
    ):
        for picture in container.decode(container.streams[stream.index]):
            return int(round(-picture.rotation / 90.0) * 90) % 360
    return 0


def _format_for(dst: Path, info: MediaInfo) -> str:
    suffix = dst.suffix.lower().lstrip(".")
    named = {"mkv": "matroska", "qt": "mov", "m4v": "mp4", "ts": "mpegts", "mpg": "mpeg", "oga": "ogg"}.get(
        suffix, suffix
    )
    known = named in _OURS | {"matroska", "webm", "mpegts", "avi", "flv", "ogg", "wav", "flac", "mp3", "mpeg"}
    return named if known else info.container


def _normal_container(path: Path, info: MediaInfo) -> str | None:
    """Which container a film or recording is laid out in; None where it is copied as it is."""
    if info.still or stills.kind(path) is not None:
        return None
    if info.video_codec is None and info.container != "m4a" and info.container not in ("mp4", "mov"):
        return None
    return "mp4" if {_plain(c) for c in (info.video_codec, info.audio_codec) if c} <= _IN_MP4 else "matroska"


_COVER_FRAMES = {b"APIC", b"PIC"}
_COVER_COMMENTS = {"METADATA_BLOCK_PICTURE", "COVERART"}
"""Comments that hold a whole picture: the one of the Xiph wiki, and the unofficial one before it."""
_FLAC_PICTURE = 6


def _no_cover(path: Path) -> None:
    """Refuse a recording that carries a picture, also one that FFmpeg passes over because it cannot read it."""
    with _container(path) as container:
        attached = any(stream.type in ("video", "attachment") for stream in container.streams)
        keys = {key.upper() for place in (container, *container.streams) for key in place.metadata}
    with path.open("rb") as file:
        tag = id3.read(file)
        framed = tag is not None and any(frame.id.rstrip(b" \0") in _COVER_FRAMES for frame in tag.frames)
        blocks = _flac_blocks(file, 0 if tag is None else tag.size_bytes)
        comments = [*vorbis.flac_comments(file), *vorbis.ogg_comments(file)]
        keys |= {key.upper() for said in comments for key, _ in said.pairs()}
    if attached or framed or keys & _COVER_COMMENTS or _FLAC_PICTURE in blocks:
        raise Unusable(
            f"{path.name} carries a cover picture that nobody would look at: take it out, or submit it by itself"
        )


def _flac_blocks(file: BinaryIO, at: int) -> set[int]:
    """Which kinds of metadata block a FLAC file has; none where there is no FLAC file at `at`. RFC 9639 section 8."""
    file.seek(at)
    found: set[int] = set()
    if file.read(4) != b"fLaC":
        return found
    while len(head := file.read(4)) == 4:
        found.add(head[0] & 0x7F)
        if head[0] & 0x80:
            break
        file.seek(int.from_bytes(head[1:], "big"), os.SEEK_CUR)
    return found


def _kept_metadata(source: Any, added: Mapping[str, str] | None) -> dict[str, str]:
    left_behind = _BRAND_KEYS | {key for key in source.metadata if key.upper() in _COVER_COMMENTS}
    kept = {key: value for key, value in source.metadata.items() if key not in left_behind}
    return {key: value for key, value in {**kept, **(added or {})}.items() if value}


def _rewrite(src: Path, source: Any, dst: Path, container: str, metadata: Mapping[str, str]) -> None:
    """Copy every packet of every track that plays, in the order they were stored."""
    options = {"fflags": "+bitexact"}
    if container in _OURS:
        options["movflags"] = "use_metadata_tags+faststart"
    muxer = {"m4a": "ipod", "webm": "webm"}.get(container, container)
    video = _picture_stream(src, source)
    if container in _OURS and (missing := _unfit(source, video)):
        raise Unusable(f"{src.name} holds {missing}, which {container} cannot carry: export it as H.264 and AAC")
    with _saying(src), av.open(f"file:{dst.resolve()}", "w", format=muxer, options=options) as target:
        target.metadata.update(metadata)
        tracks = {
            stream.index: _track(target, stream, container)
            for stream in source.streams
            if stream.type in ("audio", "subtitle") or stream is video
        }
        samples = dict.fromkeys(tracks, 0)
        if len(source.chapters()) > 0:
            target.set_chapters(source.chapters())
        for packet in _dated(source.demux([source.streams[i] for i in tracks])):
            if packet.is_corrupt:
                raise Unusable(f"{src.name} is damaged or cut off: copy or export it again")
            out, as_text = tracks[packet.stream.index]
            samples[packet.stream.index] += 1
            if _is_gap(packet):
                continue
            if as_text:
                _mux_text(target, out, packet, as_text)
            else:
                packet.stream = out
                target.mux_one(packet)
        if video is not None and samples[video.index] == 0:
            raise Unusable(f"{src.name} has a video track without a single frame: export it again")


def _dated(packets: Iterable[Any]) -> Iterator[Any]:
    """`packets` without the empty ones at the end, each with a decoding time.

    Matroska stores presentation times only, and the demuxer cannot say when the first pictures of a film with
    B-frames are decoded. They wait here for the first that has a time, and get the ones before it.
    """
    waiting: dict[int, list[Any]] = {}
    for packet in packets:
        if packet.size == 0 and packet.pts is None:
            continue
        track = packet.stream.index
        if packet.dts is None:
            waiting.setdefault(track, []).append(packet)
            continue
        yield from _back_dated(waiting.pop(track, []), packet.dts)
        yield packet
    for left in waiting.values():
        known = [p.pts for p in left if p.pts is not None]
        yield from _back_dated(left, min(known, default=0) + 1)


def _back_dated(waiting: Sequence[Any], first_dts: int) -> Iterator[Any]:
    """`waiting` with decoding times that end just before `first_dts`, one picture's length apart."""
    step = max(1, min((p.duration for p in waiting if p.duration), default=1))
    for number, packet in enumerate(waiting):
        packet.dts = first_dts - step * (len(waiting) - number)
        if packet.pts is None:
            packet.pts = packet.dts
        yield packet


def _is_gap(packet: Any) -> bool:
    """Whether this is the empty text that fills the time between two subtitles in MP4.

    The container needs one per gap and its muxer writes them by itself; copied along they would double at every
    remux, and counted they would make the same film two.
    """
    return packet.size == 2 and packet.stream.codec_context.name == "mov_text" and bytes(packet) == b"\0\0"


def _unfit(source: Any, video: Any) -> str | None:
    """The first codec an mp4 cannot carry, by name."""
    for stream in source.streams:
        if stream is video or stream.type in ("audio", "subtitle"):
            name = stream.codec_context.name if stream.codec_context else stream.type
            if _plain(name) not in _IN_MP4 and name not in _TEXT_SUBTITLES:
                return f"a track of {name}"
    return None


def _track(target: Any, stream: Any, container: str) -> tuple[Any, str | None]:
    """The target's track for `stream`, and the text codec it must be rewritten from (None: copied)."""
    name = stream.codec_context.name
    if stream.type == "subtitle" and container in _OURS and name in _TEXT_SUBTITLES:
        out, as_text = target.add_stream("mov_text"), name
        out.codec_context.subtitle_header = _ASS_HEADER
    else:
        out, as_text = target.add_stream_from_template(stream), None
        out.time_base = stream.time_base
    for key in ("language", "title", "handler_name"):
        if key in stream.metadata:
            out.metadata[key] = stream.metadata[key]
    out.disposition = stream.disposition
    return out, as_text


_ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""What PyAV's mov_text wants to hear before it writes a track; its words are never shown."""


def _mux_text(target: Any, out: Any, packet: Any, codec: str) -> None:
    """Write one cue as mov_text: a length, then the words (ETSI TS 126 245 clause 5.17)."""
    words = bytes(packet).decode("utf-8", "replace").strip("\0")
    if codec in ("ass", "ssa"):
        words = words.split(",", 8)[-1].replace("\\N", "\n").replace("\\n", "\n")
        words = re.sub(r"\{[^}]*\}", "", words)
    else:
        words = re.sub(r"</?[a-zA-Z][^>]*>", "", words)
    data = words.strip().encode()[:0xFFFF]
    cue = av.Packet(len(data).to_bytes(2, "big") + data)
    cue.pts, cue.dts, cue.duration, cue.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    cue.stream = out
    target.mux_one(cue)


def _plain(codec: str) -> str:
    """The codec's own name where PyAV gives its decoder's: "libdav1d" decodes "av1"."""
    return {"libdav1d": "av1", "libaom-av1": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9", "libopus": "opus"}.get(
        codec, codec.removesuffix("float")
    )


def _film_essence(path: Path, container: Any) -> str:
    """Digest of digests: one per track, over when each sample is shown and what its bytes are."""
    video = _picture_stream(path, container)
    tracks = [s for s in container.streams if s is video or s.type in ("audio", "subtitle")]
    if not tracks:
        raise Unusable(f"{path.name} holds neither pictures nor sound: export it again")
    digests = {s.index: hashlib.sha256(f"{s.type} {_plain(s.codec_context.name)}\n".encode()) for s in tracks}
    zero: Fraction | None = None
    with _saying(path):
        for packet in container.demux(tracks):
            if packet.size == 0 or packet.pts is None or _is_gap(packet):
                continue
            at = Fraction(packet.pts) * packet.time_base
            zero = at if zero is None else zero
            key = "k" if packet.is_keyframe else "-"
            data = bytes(packet)
            digests[packet.stream.index].update(f"{at - zero} {key} {len(data)}\n".encode())
            digests[packet.stream.index].update(data)
    whole = hashlib.sha256(b"dramagate/essence@1\n")
    for track in tracks:
        whole.update(digests[track.index].digest())
    return whole.hexdigest()


def _sound(path: Path, container: Any, stream: Any, rate_hz: int) -> NDArray[np.float32]:
    if stream.codec_context.sample_rate <= 0:
        raise Unusable(f"{path.name} has an audio track without a sample rate: export it again")
    stream.thread_type = "AUTO"
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate_hz)
    pieces: list[NDArray[np.float32]] = []
    total = 0
    lead: Fraction | None = None
    most = MAX_DURATION_US * rate_hz // 1_000_000
    with _saying(path):
        for frame in container.decode(stream):
            if lead is None:
                lead = Fraction(frame.pts or 0) * stream.time_base
            for made in resampler.resample(frame):
                pieces.append(made.to_ndarray()[0])
                total += pieces[-1].size
            if total > most:
                raise Unusable(f"{path.name} holds more than {MAX_DURATION_US / 3.6e9:.0f} h of sound: split it")
        pieces.extend(made.to_ndarray()[0] for made in resampler.resample(None))
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    shift = round(float(lead or 0) * rate_hz)
    if shift > 0:
        return np.concatenate([np.zeros(min(shift, most), np.float32), samples])
    return samples[-shift:] if shift < 0 else samples


# --- pictures --------------------------------------------------------------------------------


@contextlib.contextmanager
def _picture(path: Path) -> Iterator[Any]:
    with _saying(path), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        picture = Image.open(path, formats=stills.FORMATS)
    with picture:
        yield picture


def _still_info(path: Path, picture: Any) -> MediaInfo:
    width, height = picture.size
    _sane_size(path, width, height, MAX_STILL_PIXELS)
    with _saying(path):
        frames = getattr(picture, "n_frames", 1)  # counts by reading to the end
    kind = str(picture.format).lower()
    if kind == "tiff" and frames > 1:
        raise Unusable(f"{path.name} holds {frames} pages: submit each as a picture of its own")
    duration_us = 1
    with _saying(path):
        if frames > 1:
            _sane_size(path, width, height, MAX_PIXELS)
            duration_us = 0
            duration_us = sum(_shown_us(path, picture, frames))
            if duration_us > MAX_DURATION_US or frames > MAX_ANIMATION_FRAMES:
                raise Unusable(f"{path.name} is too long an animation: submit it as a film")
        turned = frames == 1 and picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return MediaInfo(
        container=kind,
        mime=Image.MIME.get(str(picture.format), "application/octet-stream"),
        duration_us=duration_us,
        width=height if turned else width,
        height=width if turned else height,
        rotation=0,
        fps=0.0 if frames == 1 else frames * 1e6 / duration_us,
        video_codec=kind,
        audio_codec=None,
        subtitle_tracks=0,
        still=frames == 1,
    )


def _shown_us(path: Path, picture: Any, frames: int) -> list[int]:
    """How long each picture of an animation is shown. Browsers show 10 ms and less as 100 ms, and so do we."""
    said_ms = stills.webp_durations_ms(path) if picture.format == "WEBP" else []
    if not said_ms:
        for index in range(min(frames, MAX_ANIMATION_FRAMES + 1)):
            picture.seek(index)
            said_ms.append(float(picture.info.get("duration", 0) or 0))
        picture.seek(0)
    elif len(said_ms) != frames:
        raise Unusable(
            f"{path.name} is damaged: it holds {len(said_ms)} pictures of which {frames} can be shown: export it again"
        )
    return [round(ms * 1000) if ms > 10 else 100_000 for ms in said_ms]


def _flattened(picture: Any) -> Pixels:
    """The picture upright on a plain ground that whatever is drawn stands out from.

    Transparent pictures have no ground of their own: on white, white words would go unread.
    """
    if getattr(picture, "n_frames", 1) == 1:
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, np.float32)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        grey = np.clip(values * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if not picture.has_transparency_data:
        return np.array(picture.convert("RGB"))
    rgba = np.asarray(picture.convert("RGBA")).astype(np.float32)
    alpha = rgba[:, :, 3:] / 255.0
    drawn = float((rgba[:, :, :3] * alpha).mean(axis=2).sum() / max(float(alpha.sum()), 1e-6))
    ground = 0.0 if drawn > 127 and float(alpha.mean()) < 0.999 else 255.0
    return np.asarray(rgba[:, :, :3] * alpha + ground * (1 - alpha) + 0.5, np.uint8)
