"""Changing coded media as little as possible: pictures and sound away from an edit stay as they were coded.

    index the film -> plan (which frames go, which are painted) -> per group of pictures:
        untouched       copied, bit for bit
        wholly removed  left out
        touched         what precedes the edit copied, the rest decoded, painted, encoded
    -> sound spliced likewise (sound.py) -> subtitles moved -> what was written is read back

Only H.264 with closed groups of pictures can be copied in part; everything else (HEVC, AV1, interlaced,
ten bits, open groups) is decoded and encoded whole. The written film is always MP4 or MOV. Tracks
nobody looked at (data, attachments, second pictures) are left out.

Times are microseconds from the first frame shown, as everywhere; ticks of the picture track stay in this file.
"""

from __future__ import annotations

import contextlib
import heapq
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray
from PIL import Image, ImageOps

from provenance import h264, sound, subtitles
from provenance.asset import TimeRange, merge
from provenance.failure import Refused
from provenance.media import MediaInfo, Unusable, decode, probe

Plane = NDArray[np.uint8]
Ticks = NDArray[np.int64]

EDGE_QUALITY = {"preset": "superfast", "crf": "17"}
"""x264 settings of the few pictures around an edit: fast and near lossless, because they are too few for their
size to matter. docs/rendering.md has the measured error and time."""
WHOLE_QUALITY = {"preset": "veryfast", "crf": "18"}
"""x264 settings of a film encoded whole: crf 18 is where x264's documentation calls the loss invisible."""
KEYFRAME_EVERY_S = 2
"""Longest wait for a seek in what is encoded anew: the group length the fixture generators and cameras use."""

LONGEST_GROUP = 1500
"""Samples in a group of pictures that is still handled by itself (a minute at 25 fps): it is held in memory. Films
of open groups have only one independent picture, and are encoded whole beyond this."""


class NothingLeft(Refused):
    """The cuts leave no frame and no sound. One sentence: what, where, what to do."""


class CannotWrite(Refused):
    """The changed film cannot be written where it was asked for. One sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The planes of one frame, upright, to be painted in place."""

    y: Plane
    u: Plane
    v: Plane
    full_range: bool
    """Whether luma spans 0..255 rather than 16..235."""

    @property
    def height(self) -> int:
        """Rows of luma."""
        return int(self.y.shape[0])

    @property
    def width(self) -> int:
        """Columns of luma."""
        return int(self.y.shape[1])


@dataclass(frozen=True, slots=True)
class Touch:
    """Something painted onto every frame of which any part is shown in `where`."""

    where: TimeRange
    paint: Callable[[Picture], None]
    """Changes the planes it is given. Must do the same whenever it is given the same frame."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a film."""

    duration_us: int
    """Of the pictures (of the sound where there are none)."""
    kept: tuple[TimeRange, ...]
    """What is left, in the time of the film as it was; frame borders widened to whole microseconds."""
    frames_copied: int
    frames_encoded: int
    frames_removed: int
    whole: str | None
    """Why everything had to be encoded anew; None where untouched pictures were copied."""
    sound: tuple[sound.Spliced, ...]
    """What became of each sound track."""


def change(
    src: Path,
    dst: Path,
    *,
    cuts: Iterable[TimeRange] = (),
    touches: Sequence[Touch] = (),
    mutes: Iterable[TimeRange] = (),
    metadata: Mapping[str, str] | None = None,
) -> Changed:
    """Write `src` as `dst` without `cuts`, with `touches` painted on, and silent in `mutes`.

    A frame goes, or is painted, when any part of it is shown in the range; sound goes with its frames.
    `metadata` is added to that of `src`. `src` is only read; `dst` appears when it is complete and was read back.
    Raises Unusable where `src` cannot be read, NothingLeft, and CannotWrite.
    """
    info = probe(src)
    must_be_another_file(src, dst)
    if info.still:
        return _change_still(src, dst, merge(cuts), touches)
    if info.video_codec == "webp":
        with _filmed(src, dst) as filmed:
            return change(filmed, dst, cuts=cuts, touches=touches, mutes=mutes, metadata=metadata)
    film = _index(src, info)
    plan = _Plan(film, merge(cuts), tuple(touches), merge(mutes))
    plan.must_leave_something()
    whole = plan.why_whole()
    with appearing(dst) as made:
        try:
            tally = _write(plan, made, metadata or {}, whole)
        except _Uncopyable as reason:
            whole = str(reason)
            tally = _write(plan, made, metadata or {}, whole)
        _read_back(plan, made, tally)
    return Changed(
        duration_us=plan.duration_us,
        kept=tuple(plan.kept()),
        frames_copied=tally.copied,
        frames_encoded=tally.encoded,
        frames_removed=plan.frames_removed,
        whole=whole,
        sound=tuple(tally.sound),
    )


@contextlib.contextmanager
def appearing(dst: Path) -> Iterator[Path]:
    """A path to write to that becomes `dst` when the block ends well, and leaves nothing when it does not."""
    made = dst.with_name(f".{dst.stem[:40]}.{secrets.token_hex(4)}.part{dst.suffix}")
    try:
        made.touch(exist_ok=False)
    except OSError as error:
        raise CannotWrite(f"{dst}: {error.strerror}; name a folder that exists and can be written") from error
    try:
        yield made
        made.replace(dst)
    finally:
        made.unlink(missing_ok=True)


@contextlib.contextmanager
def _filmed(src: Path, dst: Path) -> Iterator[Path]:
    """The animated picture `src` as an H.264 film: FFmpeg, which edits films, cannot read animated WebP."""
    film, rate = dst.with_name(f".{dst.stem}-filmed.mp4"), Fraction(1, 90_000)
    lengths: dict[int, int] = {}
    try:
        with decode(src) as frames, av.open(str(film), "w") as out:
            stream = None
            for frame in frames:
                rgb = frame.rgb()
                even = np.pad(rgb, ((0, rgb.shape[0] % 2), (0, rgb.shape[1] % 2), (0, 0)), mode="edge")
                if stream is None:
                    stream = out.add_stream("libx264", options={"crf": "14", "preset": "veryfast"})
                    stream.width, stream.height, stream.pix_fmt = even.shape[1], even.shape[0], "yuv420p"
                    stream.time_base = stream.codec_context.time_base = rate
                picture = av.VideoFrame.from_ndarray(even, format="rgb24")
                picture.pts, picture.time_base = frame.at_us * 9 // 100, rate
                lengths[picture.pts] = (frame.until_us - frame.at_us) * 9 // 100
                _mux_timed(out, stream.encode(picture), lengths)
            if stream is None:
                raise Unusable(f"{src.name} holds no picture: export it again")
            _mux_timed(out, stream.encode(), lengths)
        yield film
    finally:
        film.unlink(missing_ok=True)


def _mux_timed(out: Any, packets: Iterable[Any], lengths: Mapping[int, int]) -> None:
    """Write `packets` with how long each is shown, which the encoder does not know of the last one."""
    for packet in packets:
        packet.duration = lengths[packet.pts]
        out.mux(packet)


def must_be_another_file(src: Path, dst: Path) -> None:
    """Raises CannotWrite where `dst` is `src`: what was submitted is never changed."""
    if dst.exists() and dst.samefile(src):
        raise CannotWrite(f"{dst} is the file to be changed; name another file, the submitted one stays as it is")


# --- reading the film: one pass over the packets, nothing decoded ---------------------------


@dataclass(frozen=True, slots=True)
class _Sample:
    pts: int
    dts: int
    duration: int
    starts_group: bool
    """Whether nothing from here on, in decoding order, refers to anything before."""
    shown: bool
    """False for samples an edit list hides: they are decoded for others to refer to."""


@dataclass(frozen=True)
class _Film:
    path: Path
    info: MediaInfo
    time_base: Fraction
    samples: tuple[_Sample, ...]
    """In decoding order; empty where there are no pictures."""
    sets: h264.ParameterSets | None
    obstacle: str | None
    """Why its pictures cannot be copied in part; None where they can."""
    origin_s: Fraction
    """When the first frame (or, without pictures, the first sound) is shown, in the container's own time."""
    sound_end_us: int

    @cached_property
    def starts(self) -> Ticks:
        """When each frame is shown, ticks after the first, ascending."""
        shown = sorted({sample.pts for sample in self.samples if sample.shown})
        return np.array(shown, dtype=np.int64) - (shown[0] if shown else 0)

    @cached_property
    def ends(self) -> Ticks:
        """When each frame is replaced; the last one is shown for as long as it says, or as the others usually are."""
        if not len(self.starts):
            return self.starts
        last = max((s for s in self.samples if s.shown), key=lambda s: s.pts)
        usual = int(np.median(np.diff(self.starts))) if len(self.starts) > 1 else round(1 / self.time_base / 25)
        return np.append(self.starts[1:], self.starts[-1] + (last.duration if last.duration > 0 else max(1, usual)))

    @cached_property
    def first_tick(self) -> int:
        """The pts of the first frame shown."""
        return min(sample.pts for sample in self.samples if sample.shown)

    @property
    def step(self) -> int:
        """The usual time between frames, in ticks."""
        return max(1, int(np.median(self.ends - self.starts)))

    @property
    def reorder(self) -> int:
        """How long before it is shown a group's first picture is decoded, at most; ticks."""
        return max((s.pts - s.dts for s in self.samples if s.starts_group), default=0)


def _index(path: Path, info: MediaInfo) -> _Film:
    with opened(path) as container:
        stream = picture_stream(container)
        if stream is None:
            starts = [_start_s(container, track) for track in container.streams.audio]
            return _Film(path, info, Fraction(1, 1_000_000), (), None, None, min(starts), info.duration_us)
        sets, obstacle = _parameter_sets(stream)
        samples: list[_Sample] = []
        for packet in container.demux(stream):
            if packet.size == 0 or (packet.pts is None and packet.dts is None):
                continue
            pts = packet.dts if packet.pts is None else packet.pts
            dts = pts if packet.dts is None else packet.dts
            starts_group = bool(packet.is_keyframe) and (
                sets is None or h264.starts_afresh(bytes(memoryview(packet)[:4096]), sets.length_size)
            )
            samples.append(_Sample(pts, dts, packet.duration or 0, starts_group, not packet.is_discard))
        if not any(sample.shown for sample in samples):
            raise Unusable(f"{path.name} holds no picture: export it again")
        time_base = Fraction(stream.time_base)
    obstacle = obstacle or _disorder(samples)
    origin_s = min(s.pts for s in samples if s.shown) * time_base
    return _Film(path, info, time_base, tuple(samples), sets, obstacle, origin_s, info.duration_us)


def _parameter_sets(stream: Any) -> tuple[h264.ParameterSets | None, str | None]:
    """The track's parameter sets, or why its pictures cannot be copied in part."""
    context = stream.codec_context
    if context.name != "h264":
        return None, f"the pictures are {context.name}, and only H.264 is copied in part"
    if str(context.pix_fmt) not in ("yuv420p", "yuvj420p"):
        return None, f"the pictures are {context.pix_fmt}, and only 8-bit 4:2:0 is copied in part"
    if str(context.field_order).lower().rsplit(".", 1)[-1] not in ("progressive", "unknown", "0", "1"):
        return None, "the pictures are interlaced"
    try:
        sets = h264.ParameterSets.of_record(bytes(context.extradata or b""))
        sets.free_number()
    except ValueError as error:
        return None, str(error)
    if sets.length_size != 4:
        return None, f"samples carry lengths of {sets.length_size} bytes, which an encoded picture may not fit"
    return sets, None


def _disorder(samples: Sequence[_Sample]) -> str | None:
    if not samples[0].starts_group:
        return "the film does not begin with an independent picture"
    if any(a.dts >= b.dts for a, b in pairwise(samples)) or any(s.pts < s.dts for s in samples):
        return "decoding times are not in order"
    if len({s.pts for s in samples if s.shown}) < sum(s.shown for s in samples):
        return "two frames are shown at the same instant"
    heads = [i for i, s in enumerate(samples) if s.starts_group] + [len(samples)]
    if max(b - a for a, b in pairwise(heads)) > LONGEST_GROUP:
        return f"more than {LONGEST_GROUP} pictures follow one another without an independent one"
    latest = None
    begun = None
    for sample in samples:
        if sample.starts_group:
            latest, begun = (None, sample.pts) if begun is None else (latest, sample.pts)
        if begun is not None and sample.pts < begun:
            return "a group of pictures shows a picture before its first (open group)"
        if sample.starts_group and latest is not None and sample.pts <= latest:
            return "groups of pictures overlap in time"
        latest = sample.pts if latest is None else max(latest, sample.pts)
    return None


def picture_stream(container: Any) -> Any:
    """The track of moving pictures, never cover art; None where there is none."""
    moving = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    return moving[0] if moving else None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The container at `path`, local files only. Raises Unusable for what the decoders refuse."""
    try:
        with av.open(f"file:{path.resolve()}", metadata_errors="replace", options={"protocol_whitelist": "file"}) as it:
            yield it
    except av.error.FFmpegError as error:
        raise Unusable(f"{path.name} cannot be read ({error.strerror or error}): export it again") from error


def _start_s(container: Any, track: Any) -> Fraction:
    if track.start_time is not None:
        return Fraction(track.start_time * track.time_base)
    return Fraction(container.start_time or 0, 1_000_000)


# --- the plan: what becomes of every frame --------------------------------------------------


class _Uncopyable(Exception):
    """Met while copying: the film has to be encoded whole after all."""


class _Plan:
    def __init__(self, film: _Film, cuts: list[TimeRange], touches: tuple[Touch, ...], mutes: list[TimeRange]) -> None:
        self.film = film
        self.cuts = cuts
        self.touches = touches
        self.mutes = mutes
        # Frames are rounded inwards, because ranges that began as frames were rounded outwards (asset.py).
        unit = film.time_base * 1_000_000
        self._from_us = -((-film.starts * unit.numerator) // unit.denominator)
        self._to_us = np.maximum((film.ends * unit.numerator) // unit.denominator, self._from_us + 1)
        self.removed = self._overlapping(cuts)
        self.painted = self._overlapping([touch.where for touch in touches]) & ~self.removed
        lengths = np.where(self.removed, film.ends - film.starts, 0)
        self.shown_at: Ticks = film.starts - (np.cumsum(lengths) - lengths)
        self._number = {int(tick): i for i, tick in enumerate(film.starts)}

    def _overlapping(self, ranges: Iterable[TimeRange]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self.film.starts), dtype=bool)
        for r in ranges:
            mask |= (self._from_us < r.end_us) & (r.start_us < self._to_us)
        return mask

    def must_leave_something(self) -> None:
        film = self.film
        if len(self.removed) and bool(self.removed.all()):
            raise NothingLeft(
                f"{film.path.name}: the cuts take all {len(self.removed)} frames, nothing would be left to show;"
                " refuse the film instead"
            )
        if not len(self.removed) and not list(_complement(self.cuts, film.sound_end_us)):
            raise NothingLeft(f"{film.path.name}: the cuts take all of the sound; refuse the recording instead")

    def why_whole(self) -> str | None:
        """Why the pictures must be encoded whole; None where they can be copied in part or need no change at all."""
        if not (self.removed.any() or self.painted.any()):
            return None
        return self.film.obstacle

    def number(self, pts: int) -> int:
        """Which frame is shown at `pts`; the one before where none begins there."""
        tick = pts - self.film.first_tick
        exact = self._number.get(tick)
        return exact if exact is not None else max(0, int(np.searchsorted(self.film.starts, tick, "right")) - 1)

    def paint(self, number: int, picture: Picture) -> None:
        """Everything that has to be painted on frame `number`, in the order it was asked for."""
        for touch in self.touches:
            if self._from_us[number] < touch.where.end_us and touch.where.start_us < self._to_us[number]:
                touch.paint(picture)

    @property
    def frames_removed(self) -> int:
        return int(self.removed.sum())

    @property
    def duration_us(self) -> int:
        if not len(self.removed):
            return sum(r.length_us for r in _complement(self.cuts, self.film.sound_end_us))
        kept = np.where(self.removed, 0, self.film.ends - self.film.starts).sum()
        return round(int(kept) * self.film.time_base * 1_000_000)

    def kept(self) -> Iterator[TimeRange]:
        """Stretches of frames that stay, in the film's own time."""
        if not len(self.removed):
            yield from _complement(self.cuts, self.film.sound_end_us)
            return
        for first, after in _runs(~self.removed):
            yield TimeRange.from_pts(int(self.film.starts[first]), int(self.film.ends[after - 1]), self.film.time_base)

    def removed_s(self) -> list[tuple[Fraction, Fraction | None]]:
        """What goes, in seconds from the first frame; None as an end where nothing comes after it.

        With pictures these are whole frames, so that sound loses exactly what the picture loses.
        """
        film = self.film
        if not len(self.removed):
            end_us = film.sound_end_us
            return [
                (Fraction(c.start_us, 1_000_000), None if c.end_us >= end_us else Fraction(c.end_us, 1_000_000))
                for c in self.cuts
                if c.start_us < end_us
            ]
        gone: list[tuple[Fraction, Fraction | None]] = [
            (int(film.starts[a]) * film.time_base, int(film.ends[b - 1]) * film.time_base)
            for a, b in _runs(self.removed)
        ]
        over = int(film.ends[-1]) * film.time_base
        if bool(self.removed[-1]):
            gone[-1] = (gone[-1][0], None)
        else:
            tails = ((Fraction(c.start_us, 1_000_000), Fraction(c.end_us, 1_000_000)) for c in self.cuts)
            gone += [(max(a, over), b) for a, b in tails if b > over]
        return gone

    def muted_s(self) -> list[tuple[Fraction, Fraction]]:
        """What falls silent, in seconds from the first frame."""
        return [(Fraction(m.start_us, 1_000_000), Fraction(m.end_us, 1_000_000)) for m in self.mutes]


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First and after-last index of every stretch of True."""
    borders = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    yield from zip(borders[::2].tolist(), borders[1::2].tolist(), strict=True)


def _complement(cuts: Sequence[TimeRange], end_us: int) -> Iterator[TimeRange]:
    at = 0
    for cut in cuts:
        if cut.start_us > at:
            yield TimeRange(at, min(cut.start_us, end_us))
        at = max(at, cut.end_us)
        if at >= end_us:
            return
    yield TimeRange(at, end_us)


# --- writing: pictures, sound and subtitles, merged in order of time ------------------------


class _Tally:
    def __init__(self) -> None:
        self.copied = 0
        self.encoded = 0
        self.encoded_at: set[int] = set()
        """Ticks at which frames encoded anew are shown."""
        self.sound: list[sound.Spliced] = []


def _write(plan: _Plan, made: Path, metadata: Mapping[str, str], whole: str | None) -> _Tally:
    tally = _Tally()
    film = plan.film
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(opened(film.path))
        target = stack.enter_context(_target(made, plan))
        target.metadata.update({k: v for k, v in {**_own_metadata(source), **metadata}.items() if v})
        pictures = picture_stream(source)
        tracks: list[Iterator[Any]] = []
        if pictures is not None:
            make = _encode_whole if whole else _copy_in_part
            tracks.append(make(plan, pictures, target, tally))
        for number in range(len(source.streams.audio)):
            own = stack.enter_context(opened(film.path))
            track = sound.splice(
                own.streams.audio[number],
                target,
                origin_s=film.origin_s,
                removed_s=plan.removed_s(),
                muted_s=plan.muted_s(),
                told=tally.sound,
            )
            tracks.append(track)
        if pictures is not None:
            for number in range(len(source.streams.subtitles)):
                own = stack.enter_context(opened(film.path))
                tracks.append(subtitles.shift(own.streams.subtitles[number], target, film.origin_s, plan.removed_s()))
        try:
            # Each track makes its stream before its first packet; all have to be there before the header is written.
            begun = [_begun(track) for track in tracks]
            for packet in heapq.merge(*begun, key=_decoded_at):
                target.mux_one(packet)
        except av.error.FFmpegError as error:
            raise CannotWrite(
                f"{film.path.name} cannot be written as {made.suffix}: {error.strerror or error}"
            ) from error
    return tally


def _begun(track: Iterator[Any]) -> Iterator[Any]:
    """The packets of `track`, with its stream made: each yields None once its stream stands."""
    next(track)
    return track


def _decoded_at(packet: Any) -> float:
    return float(packet.dts * packet.time_base)


@contextlib.contextmanager
def _target(made: Path, plan: _Plan) -> Iterator[Any]:
    suffix = made.suffix.lower()
    muxer = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".m4a": "ipod"}.get(suffix)
    if muxer is None or (muxer == "ipod" and len(plan.removed)):
        wanted = "film.mp4 or film.mov" if len(plan.removed) else "sound.m4a or sound.mp4"
        raise CannotWrite(
            f"a changed file is written as ISO media, not as {suffix or 'a name without suffix'}: name it like {wanted}"
        )
    options = {"movflags": "use_metadata_tags+faststart", "fflags": "+bitexact"}
    with av.open(f"file:{made.resolve()}", "w", format=muxer, options=options) as target:
        yield target


def _own_metadata(source: Any) -> dict[str, str]:
    return {k: v for k, v in source.metadata.items() if k not in ("major_brand", "minor_version", "compatible_brands")}


# --- pictures, copied in part ---------------------------------------------------------------


def _copy_in_part(plan: _Plan, stream: Any, target: Any, tally: _Tally) -> Iterator[Any]:
    """Packets of the picture track in decoding order; None first, when the track has been laid out."""
    film = plan.film
    out = target.add_stream_from_template(stream)
    out.metadata.update(_track_metadata(stream))
    bench = None
    if film.sets is not None and (plan.removed.any() or plan.painted.any()):
        bench = _Bench(plan, stream, film.sets)
        out.codec_context.extradata = bench.record
    yield None
    last_dts: int | None = None
    for packet in _retimed(plan, stream, bench, tally):
        # Decoding times only have to rise and stay before the showing; the groups of two encoders may meet.
        if last_dts is not None and packet.dts <= last_dts:
            packet.dts = last_dts + 1
            if packet.dts > packet.pts:
                raise _Uncopyable("the decoding times around a cut cannot be put in order")
        last_dts = packet.dts
        packet.time_base = film.time_base
        packet.stream = out
        yield packet


def _retimed(plan: _Plan, stream: Any, bench: _Bench | None, tally: _Tally) -> Iterator[Any]:
    film = plan.film
    for group in _groups(film, stream):
        copied = 0 if any(not sample.shown for sample, _ in group) else _untouched_head(plan, group)
        if bench is None:
            copied = len(group)
        kept_behind = any(sample.shown and not plan.removed[plan.number(sample.pts)] for sample, _ in group[copied:])
        if bench is not None and copied:
            yield from bench.finish(tally)
        for sample, packet in group[:copied]:
            at = int(plan.shown_at[plan.number(sample.pts)]) if sample.shown else sample.pts - film.first_tick
            packet.pts, packet.dts = at, at - (sample.pts - sample.dts)
            packet.duration = int(film.ends[plan.number(sample.pts)] - film.starts[plan.number(sample.pts)])
            tally.copied += 1
            yield packet
        if bench is not None and kept_behind:
            yield from bench.redo(group, copied, tally)
    if bench is not None:
        yield from bench.finish(tally)


def _groups(film: _Film, stream: Any) -> Iterator[list[tuple[_Sample, Any]]]:
    group: list[tuple[_Sample, Any]] = []
    packets = (p for p in stream.container.demux(stream) if p.size and not (p.pts is None and p.dts is None))
    for sample, packet in zip(film.samples, packets, strict=True):
        if sample.starts_group and group:
            yield group
            group = []
        group.append((sample, packet))
    if group:
        yield group


def _untouched_head(plan: _Plan, group: Sequence[tuple[_Sample, Any]]) -> int:
    """How many packets from the start can be copied: all stay as they are, and all are shown before the others."""
    numbers = [plan.number(sample.pts) for sample, _ in group]
    changed = [bool(plan.removed[n] or plan.painted[n]) for n in numbers]
    if not any(changed):
        return len(group)
    head = changed.index(True)
    while head and max(numbers[:head]) > min(numbers[head:]):
        head -= 1
    return head


class _Bench:
    """Decodes groups of pictures, paints what has to be painted, encodes what is kept."""

    def __init__(self, plan: _Plan, stream: Any, sets: h264.ParameterSets) -> None:
        self._plan = plan
        self._like = stream.codec_context
        self._sets = sets
        self._number = sets.free_number()
        self._encoder: Any = None
        self._decoder = av.CodecContext.create("h264", "r")
        self._decoder.extradata = self._like.extradata
        self._decoder.thread_type = "AUTO"
        self._rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        self._own = h264.ParameterSets.of_annex_b(bytes(self._opened().extradata))
        self.record = sets.record_with(self._own)

    def _opened(self) -> Any:
        like = self._like
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = like.width, like.height, like.pix_fmt
        encoder.time_base = self._plan.film.time_base
        encoder.framerate = self._rate
        _look_like(encoder, like)
        encoder.gop_size = max(1, round(self._rate * KEYFRAME_EVERY_S))
        encoder.max_b_frames = 0
        encoder.flags |= Flags.global_header
        encoder.options = {**EDGE_QUALITY, "x264-params": f"sps-id={self._number}:stitchable=1"}
        encoder.open()
        return encoder

    def redo(self, group: Sequence[tuple[_Sample, Any]], copied: int, tally: _Tally) -> Iterator[Any]:
        """Everything of `group` that is kept behind its first `copied` packets, painted and encoded."""
        plan = self._plan
        behind = {plan.number(s.pts) for s, _ in group[copied:] if s.shown}
        wanted = {number for number in behind if not plan.removed[number]}
        due = len(wanted)
        if self._encoder is None:
            self._encoder = self._opened()
            if h264.ParameterSets.of_annex_b(bytes(self._encoder.extradata)) != self._own:
                raise _Uncopyable("the encoder does not repeat its parameter sets")
        for frame in self._frames([packet for _, packet in group]):
            if frame.pts is None:
                raise _Uncopyable("a decoded picture has no time")
            number = plan.number(frame.pts)
            if number not in wanted:
                continue
            wanted.discard(number)
            yield from self._encode(frame, number, tally)
            if not wanted:
                break
        self._decoder.flush_buffers()
        if len(wanted) == due:
            raise _Uncopyable("a group of pictures around an edit cannot be decoded by itself")

    def _frames(self, packets: Sequence[Any]) -> Iterator[Any]:
        for packet in packets:
            yield from self._decoder.decode(packet)
        yield from self._decoder.decode(None)

    def _encode(self, frame: Any, number: int, tally: _Tally) -> Iterator[Any]:
        plan = self._plan
        if plan.painted[number]:
            frame = _painted(frame, plan, number)
        frame.pts = int(plan.shown_at[number])
        frame.time_base = plan.film.time_base
        frame.pict_type = 0
        tally.encoded += 1
        tally.encoded_at.add(frame.pts)
        yield from self._laid_out(self._encoder.encode(frame))

    def finish(self, tally: _Tally) -> Iterator[Any]:
        """What the encoder still holds."""
        if self._encoder is not None:
            yield from self._laid_out(self._encoder.encode(None))
            self._encoder = None

    def _laid_out(self, packets: Iterable[Any]) -> Iterator[Any]:
        film = self._plan.film
        for coded in packets:
            packet = av.Packet(h264.length_prefixed(bytes(coded), self._sets.length_size))
            packet.pts = coded.pts
            packet.dts = coded.pts - film.reorder
            packet.duration = coded.duration or film.step
            packet.is_keyframe = coded.is_keyframe
            yield packet


# --- pictures, encoded whole ----------------------------------------------------------------


def _encode_whole(plan: _Plan, stream: Any, target: Any, tally: _Tally) -> Iterator[Any]:
    """As `_copy_in_part`, with every kept frame decoded, stood upright, painted and encoded."""
    film = plan.film
    info = film.info
    like = stream.codec_context
    out = target.add_stream("libx264", rate=Fraction(stream.average_rate or stream.guessed_rate or 25))
    encoder = out.codec_context
    encoder.width, encoder.height = info.width - info.width % 2, info.height - info.height % 2
    encoder.pix_fmt = "yuvj420p" if str(like.pix_fmt).startswith("yuvj") else "yuv420p"
    encoder.time_base = film.time_base
    _look_like(encoder, like)
    encoder.gop_size = max(1, round(Fraction(stream.average_rate or 25) * KEYFRAME_EVERY_S))
    encoder.options = dict(WHOLE_QUALITY)
    out.metadata.update(_track_metadata(stream))
    yield None
    stream.thread_type = "AUTO"
    last = -1
    for frame in stream.container.decode(stream):
        if frame.pts is None:
            raise Unusable(f"{film.path.name} holds a picture without a time: export it again")
        number = plan.number(frame.pts)
        at = int(plan.shown_at[number])
        if plan.removed[number] or at <= last:
            continue
        last = at
        upright = _upright(frame.reformat(format=encoder.pix_fmt), info.rotation, encoder)
        if plan.painted[number]:
            upright = _painted(upright, plan, number, rotation=0)
        upright.pts, upright.time_base, upright.pict_type = at, film.time_base, 0
        tally.encoded += 1
        tally.encoded_at.add(at)
        yield from _encoded(encoder.encode(upright), out)
    yield from _encoded(encoder.encode(None), out)


def _encoded(packets: Iterable[Any], out: Any) -> Iterator[Any]:
    for packet in packets:
        packet.stream = out
        yield packet


def _upright(frame: Any, rotation: int, encoder: Any) -> Any:
    if not rotation and (frame.width, frame.height) == (encoder.width, encoder.height):
        return frame
    turned = av.VideoFrame(encoder.width, encoder.height, frame.format.name)
    for into, of in zip(_planes(turned), _planes(frame), strict=True):
        stood = np.rot90(of, -rotation // 90)
        into[...] = stood[: into.shape[0], : into.shape[1]]
    _colour_like(turned, frame)
    return turned


def _painted(frame: Any, plan: _Plan, number: int, rotation: int | None = None) -> Any:
    """A copy of `frame` with everything painted on it; decoders keep theirs to refer to."""
    copy = av.VideoFrame(frame.width, frame.height, frame.format.name)
    planes = _planes(copy)
    for into, of in zip(planes, _planes(frame), strict=True):
        into[...] = of
    turns = -(plan.film.info.rotation if rotation is None else rotation) // 90
    y, u, v = (np.rot90(plane, turns) for plane in planes)
    full = frame.format.name.startswith("yuvj") or int(frame.color_range or 0) == 2
    plan.paint(number, Picture(y, u, v, full))
    _colour_like(copy, frame)
    return copy


def _planes(frame: Any) -> list[Plane]:
    """Writable views of the samples, without padding."""
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    ]


def _look_like(encoder: Any, like: Any) -> None:
    if like.sample_aspect_ratio:
        encoder.sample_aspect_ratio = like.sample_aspect_ratio
    _colour_like(encoder, like)


def _colour_like(one: Any, like: Any) -> None:
    for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
        setattr(one, name, getattr(like, name))


def _track_metadata(stream: Any) -> dict[str, str]:
    return {k: v for k, v in stream.metadata.items() if k in ("language", "title", "handler_name")}


# --- stills ---------------------------------------------------------------------------------

_STILLS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_STILL_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
}


def _change_still(src: Path, dst: Path, cuts: Sequence[TimeRange], touches: Sequence[Touch]) -> Changed:
    """A picture is a film of one frame, [0, 1) us: it can be painted on, never cut."""
    if any(cut.start_us < 1 for cut in cuts):
        raise NothingLeft(f"{src.name} is a picture: a cut would leave nothing; refuse it instead")
    form = _STILLS.get(dst.suffix.lower())
    if form is None:
        raise CannotWrite(
            f"a changed picture is written as png, jpg or webp, not as {dst.suffix or 'a name without suffix'}"
        )
    due = [touch for touch in touches if touch.where.start_us < 1]
    if not due and dst.suffix.lower() == src.suffix.lower():
        with appearing(dst) as made:
            shutil.copyfile(src, made)
        return Changed(1, (TimeRange(0, 1),), 1, 0, 0, None, ())
    with Image.open(src) as file:
        profile = file.info.get("icc_profile")
        upright = ImageOps.exif_transpose(file)
        alpha = (
            upright.convert("RGBA").getchannel("A")
            if "A" in upright.getbands() or "transparency" in file.info
            else None
        )
        pixels = np.asarray(upright.convert("RGB").convert("YCbCr")).copy()
    planes = [pixels[:, :, i].copy() for i in range(3)]
    for touch in due:
        touch.paint(Picture(planes[0], planes[1], planes[2], full_range=True))
    painted_on = np.any(np.stack(planes, axis=2) != pixels, axis=2)
    painted = Image.merge("YCbCr", [Image.fromarray(plane, "L") for plane in planes]).convert("RGB")
    if alpha is not None and form != "JPEG":
        # What is painted on a transparent place is there to be seen.
        painted.putalpha(Image.fromarray(np.where(painted_on, 255, np.asarray(alpha)).astype(np.uint8)))
    with appearing(dst) as made:
        painted.save(made, format=form, **_STILL_OPTIONS[form], **({"icc_profile": profile} if profile else {}))
    return Changed(1, (TimeRange(0, 1),), 0 if due else 1, 1 if due else 0, 0, "it is a picture", ())


# --- reading back ---------------------------------------------------------------------------


def _read_back(plan: _Plan, made: Path, tally: _Tally) -> None:
    """Raises CannotWrite unless `made` shows the kept frames when it should and decodes where it was edited."""
    film = plan.film
    if not len(plan.removed):
        return
    expected: list[int] = plan.shown_at[~plan.removed].tolist()
    with opened(made) as container:
        stream = picture_stream(container)
        scale = Fraction(stream.time_base) / film.time_base
        check = _EdgeCheck(stream, tally.encoded_at)
        found: list[int] = []
        try:
            for packet in container.demux(stream):
                if packet.size:
                    found.append(round(packet.pts * scale))
                    check.see(found[-1], packet)
            check.finish()
        except av.error.FFmpegError as error:
            raise CannotWrite(
                f"{film.path.name}: what was written around an edit cannot be decoded ({error})"
            ) from error
    found.sort()
    off = sum(abs(a - b) > film.step // 2 for a, b in zip(found, expected, strict=False))
    if len(found) != len(expected) or off:
        raise CannotWrite(
            f"{film.path.name}: the changed film shows {len(found)} frames where {len(expected)} were kept"
            f"{f', {off} of them at the wrong time' if off else ''}; part of it cannot be decoded, export it again"
        )
    if check.missing:
        raise CannotWrite(f"{film.path.name}: {check.missing} frames around the edits cannot be decoded again")


class _EdgeCheck:
    """Decodes every group that holds a picture encoded anew, and the first picture after it."""

    def __init__(self, stream: Any, encoded_at: set[int]) -> None:
        self._encoded_at = encoded_at
        self._group: list[Any] = []
        self._edited = False
        self._after_edited = False
        self._decoder = stream.codec_context
        self._decoder.options = {"err_detect": "explode"}
        self._decoder.thread_type = "AUTO"
        self.missing = 0

    def see(self, at: int, packet: Any) -> None:
        """The next packet in decoding order, shown at `at`."""
        if packet.is_keyframe and self._group:
            self._close()
        if at in self._encoded_at:
            self._edited = True
        self._group.append(packet)

    def finish(self) -> None:
        """There are no more packets."""
        self._close()

    def _close(self) -> None:
        wanted = self._group if self._edited else self._group[:1] if self._after_edited else []
        if wanted:
            got = sum(len(self._decoder.decode(packet)) for packet in wanted) + len(self._decoder.decode(None))
            self._decoder.flush_buffers()
            self.missing += len(wanted) - got
        self._group, self._after_edited, self._edited = [], self._edited, False
