"""Sound that loses and silences ranges: AAC away from an edit is copied, the rest is decoded and encoded anew.

An AAC packet holds 1024 new samples and is decoded together with its neighbour (each window spans 2048).
So a packet may be copied when its whole window is untouched, and a stretch encoded anew begins and ends
one packet inside untouched sound: there both encoders saw the same samples and the overlap adds up.

No sample of a removed range is left, and nothing around it is lost but a fade of 3 ms. What is taken out
is rarely a whole number of packets, so behind a cut sound may lie up to half a packet (512 samples, 10.7 ms
at 48 kHz) from its exact place; this never adds up over several cuts. Everything that is not plain AAC-LC is
encoded whole, exact to the sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Seconds = Sequence[tuple[Fraction, Fraction | None]]

PACKET = 1024
"""Samples in one AAC-LC packet (ISO/IEC 14496-3, frameLengthFlag 0)."""
FADE_S = Fraction(3, 1000)
"""Slope at every border of a removed or silent range: short enough to lose no sound, long enough not to click."""
WARM_UP = 2
"""Packets encoded and thrown away before a join, so that the encoder is not in its first packet there."""
LOOK_AROUND = 8
"""How many packets further a join may move to find a long window (ISO/IEC 14496-3, 4.6.11): 170 ms at 48 kHz."""
LARGEST_IN_MEMORY = 256 * 1024 * 1024
"""Bytes of coded sound held at once; 4 h of AAC at 128 kbit/s fit. Above it sound is encoded whole, in pieces."""
JUMP_S = Fraction(1, 50)
"""A gap between decoded frames beyond 20 ms is a gap in the recording; below it is rounding of the container."""
_COPIED = {"aac", "mp3", "mp2", "ac3", "eac3", "opus", "flac", "alac"}
"""Codecs whose packets lie in MP4 as they are (the muxer's table of object types)."""
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""samplingFrequencyIndex of ISO/IEC 14496-3, table 1.18."""


@dataclass(frozen=True, slots=True)
class Spliced:
    """What became of one sound track."""

    packets_copied: int
    packets_encoded: int
    off_us: int
    """The furthest any sound now lies from the picture it belongs to, microseconds; 0 where it is exact."""


def splice(
    track: Any,
    target: Any,
    *,
    origin_s: Fraction,
    removed_s: Seconds,
    muted_s: Seconds,
    told: list[Spliced],
) -> Iterator[Any]:
    """Packets of `track` without `removed_s` and silent in `muted_s`, for a new stream of `target`.

    Times are seconds after `origin_s`, the first frame shown. Yields None first, when the stream is made.
    What became of it is appended to `told` at the end. `track` belongs to a container nobody else reads.
    """
    if not removed_s and not muted_s and _codec(track) in _COPIED:
        return _copied(track, target, origin_s, told)
    rate = track.codec_context.sample_rate
    cuts = _Silences([(_at(a, rate), None if b is None else _at(b, rate)) for a, b in removed_s])
    mutes = _Silences([(_down(a, rate), None if b is None else _up(b, rate)) for a, b in muted_s])
    grid = _grid(track, origin_s) if removed_s or muted_s else None
    if grid is not None:
        return _spliced(track, target, grid, cuts, mutes, told)
    return _whole(track, target, origin_s, cuts, mutes, told)


def _codec(track: Any) -> str:
    """The codec's own name where the decoder's is told: "mp3float" decodes "mp3"."""
    return str(track.codec_context.codec.canonical_name)


def _copied(track: Any, target: Any, origin_s: Fraction, told: list[Spliced]) -> Iterator[Any]:
    out = target.add_stream_from_template(track)
    _name(out, track)
    yield None
    copied = 0
    origin = round(origin_s / track.time_base)
    for packet in track.container.demux(track):
        if packet.size == 0 or packet.pts is None:
            continue
        packet.pts -= origin
        packet.dts = packet.pts
        packet.stream = out
        copied += 1
        yield packet
    told.append(Spliced(copied, 0, 0))


# --- ranges of samples ----------------------------------------------------------------------


class _Silences:
    """Disjoint ranges of samples in order; None as the last end means until the end."""

    def __init__(self, ranges: Iterable[tuple[int, int | None]]) -> None:
        merged: list[tuple[int, int | None]] = []
        for start, end in sorted(ranges, key=lambda r: r[0]):
            if end is not None and end <= start:
                continue
            last = merged[-1] if merged else None
            if last is not None and (last[1] is None or start <= last[1]):
                merged[-1] = (last[0], None if last[1] is None or end is None else max(last[1], end))
            else:
                merged.append((start, end))
        self.ranges = merged

    def clear_of(self, start: int, end: int) -> bool:
        """Whether [start, end) lies outside all of them."""
        return not any(a < end and (b is None or start < b) for a, b in self.ranges)

    def before(self, at: int) -> int:
        """How many of their samples lie before `at`."""
        return sum(max(0, (at if b is None else min(at, b)) - a) for a, b in self.ranges if a < at)

    def outside(self, start: int, end: int) -> list[tuple[int, int]]:
        """The pieces of [start, end) outside all of them."""
        pieces = []
        for a, b in self.ranges:
            if b is not None and b <= start:
                continue
            if a >= end:
                break
            if a > start:
                pieces.append((start, a))
            start = end if b is None else min(b, end)
        if start < end:
            pieces.append((start, end))
        return pieces

    def gain(self, start: int, count: int, fade: int) -> Samples:
        """float32[count]: 0 inside, 1 outside, sloping over `fade` samples just outside every border."""
        at = np.arange(start, start + count)
        gain = np.ones(count, np.float32)
        for a, b in self.ranges:
            if a >= start + count + fade or (b is not None and b <= start - fade):
                continue
            before = (a - at) / fade
            behind = np.full(count, -1.0) if b is None else (at + 1 - b) / fade
            gain = np.minimum(gain, np.clip(np.maximum(before, behind), 0, 1)).astype(np.float32)
        return gain


def _at(seconds: Fraction, rate: int) -> int:
    return round(seconds * rate)


def _down(seconds: Fraction, rate: int) -> int:
    return int(seconds * rate // 1)


def _up(seconds: Fraction, rate: int) -> int:
    return -int(-seconds * rate // 1)


# --- AAC, copied in part --------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """Every packet of an AAC-LC track whose packets follow one another without a gap."""

    first: int
    """Sample of the first frame shown at which the first packet's samples begin; negative for priming."""
    packets: tuple[bytes, ...]
    rate: int
    layout: str
    channels: int
    bit_rate: int
    record: bytes

    def index(self, sample: int) -> int:
        """Which packet's samples hold `sample`."""
        return (sample - self.first) // PACKET

    def begins(self, index: int) -> int:
        """The first of the samples packet `index` brings."""
        return self.first + index * PACKET

    @property
    def end(self) -> int:
        """The sample after the last."""
        return self.begins(len(self.packets))


def _grid(track: Any, origin_s: Fraction) -> _Grid | None:
    """The track as a grid of packets, or None where it is not one and has to be encoded whole."""
    context = track.codec_context
    record = bytes(context.extradata or b"")
    rate = context.sample_rate
    if context.name != "aac" or track.time_base != Fraction(1, rate) or not _is_plain_lc(record, rate):
        return None
    packets: list[bytes] = []
    first = held = 0
    for packet in track.container.demux(track):
        if packet.size == 0:
            continue
        if packet.pts is None or (packets and packet.pts != first + len(packets) * PACKET):
            packets = []
            break
        first = first if packets else packet.pts
        packets.append(bytes(packet))
        held += packet.size
        if held > LARGEST_IN_MEMORY:
            packets = []
            break
    if not packets:
        track.container.seek(0, backward=True, any_frame=False)
        return None
    return _Grid(
        first=first - _at(origin_s, rate),
        packets=tuple(packets),
        rate=rate,
        layout=context.layout.name,
        channels=context.layout.nb_channels,
        bit_rate=_bit_rate(held * 8 * rate // (len(packets) * PACKET), context.layout.nb_channels),
        record=record,
    )


def _is_plain_lc(record: bytes, rate: int) -> bool:
    """Whether an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) says AAC-LC, mono or stereo, 1024 samples, no SBR."""
    if len(record) < 2:
        return False
    bits = int.from_bytes(record[:2], "big")
    kind, frequency, channels, rest = bits >> 11, bits >> 7 & 15, bits >> 3 & 15, bits & 7
    no_sbr = len(record) == 2 or not (record[2:4] == b"\x56\xe5" and len(record) > 4 and record[4] & 0x80)
    return (
        kind == 2
        and frequency < len(_RATES)
        and _RATES[frequency] == rate
        and channels in (1, 2)
        and not rest
        and no_sbr
    )


def _spliced(
    track: Any, target: Any, grid: _Grid, cuts: _Silences, mutes: _Silences, told: list[Spliced]
) -> Iterator[Any]:
    out = target.add_stream_from_template(track)
    _name(out, track)
    yield None
    at: int | None = None  # where the next packet begins, in samples of the new film
    copied = encoded = off = 0
    pieces = _pieces(grid, cuts, mutes)
    for number, (first, after, copy) in enumerate(pieces):
        exact = grid.begins(first) - cuts.before(grid.begins(first))
        if copy:
            at = exact if at is None else at
            off = max(off, abs(at - exact))
            coded: Iterable[bytes] = grid.packets[first:after]
            copied += after - first
        else:
            start = exact if at is None else at
            resume = None
            if number + 1 < len(pieces):
                due = grid.begins(after) - cuts.before(grid.begins(after))
                resume = start + max(0, round(Fraction(due - start, PACKET))) * PACKET
            coded, start = _bridge(grid, cuts, mutes, first, after, start, resume)
            at = start if at is None else at
            coded = list(coded)
            encoded += len(coded)
        for data in coded:
            packet = av.Packet(data)
            packet.pts = packet.dts = at
            packet.duration, packet.time_base, packet.stream = PACKET, Fraction(1, grid.rate), out
            packet.is_keyframe = True
            at += PACKET
            yield packet
    told.append(Spliced(copied, encoded, round(Fraction(off * 1_000_000, grid.rate))))


def _pieces(grid: _Grid, cuts: _Silences, mutes: _Silences) -> list[tuple[int, int, bool]]:
    """Runs of packets in order, [first, after), to be copied or encoded; removed ones belong to what is encoded."""
    count = len(grid.packets)
    fade = _fade(grid.rate)
    free = [
        cuts.clear_of(grid.begins(i) - fade, grid.begins(i + 2) + fade)
        and mutes.clear_of(grid.begins(i) - fade, grid.begins(i + 2) + fade)
        for i in range(count)
    ]
    pieces: list[tuple[int, int, bool]] = []
    i = 0
    while i < count:
        after = i
        while after < count and free[after] == free[i]:
            after += 1
        if free[i]:
            # Both ends of what is copied move inwards to a window that overlaps like any other.
            first, last = i, after
            if i > 0:
                first = next(
                    (k for k in range(i, min(i + LOOK_AROUND, after)) if _window(grid.packets[k]) in (0, 1)), i
                )
            if after < count:
                last = next(
                    (
                        k
                        for k in range(after, max(after - LOOK_AROUND, first), -1)
                        if _window(grid.packets[k - 1]) in (0, 3)
                    ),
                    after,
                )
            if last - first >= 2 * WARM_UP + 2:
                pieces += [(i, first, False), (first, last, True), (last, after, False)]
            else:
                pieces.append((i, after, False))
        else:
            pieces.append((i, after, False))
        i = after
    joined: list[tuple[int, int, bool]] = []
    for first, after, copy in pieces:
        if first == after:
            continue
        if joined and not copy and not joined[-1][2]:
            joined[-1] = (joined[-1][0], after, False)
        else:
            joined.append((first, after, copy))
    return joined


def _window(packet: bytes) -> int | None:
    """window_sequence of a packet's first element: 0 long, 1 start, 2 short, 3 stop; None where it is hard to find.

    Source: ISO/IEC 14496-3, 4.4.2 (single_channel_element, channel_pair_element, ics_info).
    """
    bits = int.from_bytes(packet[:4].ljust(4, b"\x00"), "big")
    element = bits >> 29
    if element == 1 and bits >> 24 & 1:  # channel pair with a common window: 3 + 4 + 1 bits, then one reserved
        return bits >> 21 & 3
    if element == 1:  # without: global_gain (8 bits) stands before it
        return bits >> 13 & 3
    if element == 0:  # single channel: 3 + 4 bits, global_gain, one reserved
        return bits >> 14 & 3
    return None


def _bridge(
    grid: _Grid, cuts: _Silences, mutes: _Silences, first: int, after: int, start: int, resume: int | None
) -> tuple[list[bytes], int]:
    """Packets for the kept samples of [first, after), and where the first begins in the new film.

    With `resume`, they fill [start, resume) exactly: what is missing is silence at the last join, what is
    too much is taken from behind it.
    """
    follows = first > 0
    begin, end = max(grid.begins(first), 0) if not follows else grid.begins(first), grid.begins(after)
    if not follows:
        start = begin - cuts.before(begin)
    kept = cuts.outside(begin, end)
    body = sum(b - a for a, b in kept)
    missing = 0 if resume is None else resume - start - body
    if missing < 0:
        kept, cuts = _shortened(kept, cuts, -missing)
    before = (grid.begins(first) - WARM_UP * PACKET, grid.begins(first)) if follows else None
    behind = (end, end + PACKET) if resume is not None else None
    spans = ([before] if before else []) + kept + ([behind] if behind else [])
    if not spans:
        return [], start
    pcm = _decoded(grid, spans[0][0], spans[-1][1])
    gain = cuts.gain(spans[0][0], pcm.shape[1], _fade(grid.rate)) * mutes.gain(
        spans[0][0], pcm.shape[1], _fade(grid.rate)
    )
    pcm = pcm * gain
    parts = [pcm[:, a - spans[0][0] : b - spans[0][0]] for a, b in spans]
    if missing > 0:
        parts.insert(_last_join(spans), np.zeros((grid.channels, missing), np.float32))
    stream = np.concatenate(parts, axis=1)
    packets = _encoded(grid, stream)
    lead = WARM_UP + 1 if follows else 0
    if resume is None:
        return packets[lead:], start if follows else start - PACKET
    count = (resume - start) // PACKET + (0 if follows else 1)
    return packets[lead : lead + count], start if follows else start - PACKET


def _shortened(kept: list[tuple[int, int]], cuts: _Silences, by: int) -> tuple[list[tuple[int, int]], _Silences]:
    """`kept` without its `by` samples behind the last join, and the cuts widened to match."""
    kept = list(kept)
    widened = list(cuts.ranges)
    taken = by
    while taken and kept:
        a, b = kept.pop()
        less = min(taken, b - a)
        taken -= less
        if b - a > less:
            kept.append((a + less, b))
        widened.append((a, a + less))
    return kept, _Silences(widened)


def _last_join(spans: Sequence[tuple[int, int]]) -> int:
    joins = [i for i in range(1, len(spans)) if spans[i][0] != spans[i - 1][1]]
    return joins[-1] if joins else 0


def _decoded(grid: _Grid, start: int, end: int) -> Samples:
    """float32[channels, end - start]: the samples of a stretch; silence before the first packet and after the last."""
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = grid.record
    decoder.sample_rate, decoder.layout = grid.rate, grid.layout
    first, after = max(0, grid.index(start) - 1), min(len(grid.packets), grid.index(end - 1) + 2)
    pcm = np.zeros((grid.channels, end - start), np.float32)
    for i in range(first, after):
        packet = av.Packet(grid.packets[i])
        packet.pts, packet.time_base = grid.begins(i), Fraction(1, grid.rate)
        for frame in decoder.decode(packet):
            if i > first or first == 0:
                _put(pcm, frame.to_ndarray(), grid.begins(i) - start)
    return pcm


def _put(pcm: Samples, block: NDArray[Any], at: int) -> None:
    a, b = max(0, at), min(pcm.shape[1], at + block.shape[1])
    if a < b:
        pcm[:, a:b] = block[:, a - at : b - at]


def _encoded(grid: _Grid, pcm: Samples) -> list[bytes]:
    encoder = _encoder(grid.rate, grid.layout, grid.bit_rate)
    coded = []
    for at in range(0, pcm.shape[1], PACKET):
        coded += [bytes(p) for p in encoder.encode(_frame(pcm[:, at : at + PACKET], grid.rate, grid.layout, at))]
    return coded + [bytes(p) for p in encoder.encode(None)]


# --- everything else, encoded whole ---------------------------------------------------------


def _whole(
    track: Any, target: Any, origin_s: Fraction, cuts: _Silences, mutes: _Silences, told: list[Spliced]
) -> Iterator[Any]:
    context = track.codec_context
    rate = context.sample_rate if context.sample_rate in _RATES[:-1] else 48000
    layout = "mono" if context.layout.nb_channels == 1 else "stereo"
    if rate != context.sample_rate:
        scale = Fraction(rate, context.sample_rate)
        cuts, mutes = _scaled(cuts, scale), _scaled(mutes, scale)
    out = target.add_stream("aac", rate=rate, layout=layout)
    encoder = out.codec_context
    encoder.bit_rate = _bit_rate(context.bit_rate or 0, encoder.layout.nb_channels)
    encoder.time_base = Fraction(1, rate)
    _name(out, track)
    yield None
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    channels = encoder.layout.nb_channels
    fade = _fade(rate)
    packed = 0
    waiting = np.zeros((channels, 0), np.float32)
    encoded = 0
    for start, block in _blocks(track, resampler, origin_s, rate, channels):
        gain = cuts.gain(start, block.shape[1], fade) * mutes.gain(start, block.shape[1], fade)
        block = block * gain
        kept = [block[:, a - start : b - start] for a, b in cuts.outside(start, start + block.shape[1])]
        waiting = np.concatenate([waiting, *kept], axis=1)
        while waiting.shape[1] >= PACKET:
            for packet in encoder.encode(_frame(waiting[:, :PACKET], rate, layout, packed)):
                packet.stream = out
                encoded += 1
                yield packet
            packed += PACKET
            waiting = waiting[:, PACKET:]
    last = [_frame(waiting, rate, layout, packed)] if waiting.shape[1] else []
    for frame in [*last, None]:
        for packet in encoder.encode(frame):
            packet.stream = out
            encoded += 1
            yield packet
    told.append(Spliced(0, encoded, 0))


def _blocks(track: Any, resampler: Any, origin_s: Fraction, rate: int, channels: int) -> Iterator[tuple[int, Samples]]:
    """Sample number from the first frame shown, and samples; gaps filled with silence, overlaps dropped."""
    jump = _at(JUMP_S, rate)
    at = 0
    for frame in track.container.decode(track):
        begins = None if frame.pts is None else _at(frame.pts * frame.time_base - origin_s, rate)
        for part in resampler.resample(frame):
            block: Samples = part.to_ndarray().astype(np.float32, copy=False).reshape(channels, -1)
            if begins is not None and abs(begins - at) > (jump if at else 0):
                for lead in range(at, begins, rate):
                    yield lead, np.zeros((channels, min(rate, begins - lead)), np.float32)
                block = block[:, max(0, at - begins) :]
                at = max(at, begins)
            begins = None
            if block.shape[1]:
                yield at, block
            at += block.shape[1]
    for part in resampler.resample(None):
        block = part.to_ndarray().astype(np.float32, copy=False).reshape(channels, -1)
        yield at, block
        at += block.shape[1]


def _scaled(silences: _Silences, scale: Fraction) -> _Silences:
    return _Silences((round(a * scale), None if b is None else round(b * scale)) for a, b in silences.ranges)


def _encoder(rate: int, layout: str, bit_rate: int) -> Any:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
    encoder.bit_rate = bit_rate
    encoder.time_base = Fraction(1, rate)
    return encoder


def _frame(pcm: Samples, rate: int, layout: str, at: int) -> Any:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm, np.float32), "fltp", layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
    return frame


def _bit_rate(like: int, channels: int) -> int:
    """Bits per second for sound encoded again: a quarter above the original, 96 to 192 kbit/s a channel pair."""
    return max(48_000 * channels, min(like * 5 // 4, 96_000 * channels))


def _fade(rate: int) -> int:
    return max(1, _at(FADE_S, rate))


def _name(out: Any, track: Any) -> None:
    out.metadata.update({k: v for k, v in track.metadata.items() if k in ("language", "title", "handler_name")})
