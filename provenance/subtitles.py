"""Subtitle tracks whose film loses ranges: cues move with their pictures, and go where nothing of them is left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av

_TICKS = 1000
"""Timescale of what is written: milliseconds, the unit of every subtitle format read here."""
_PLAIN = {"subrip", "text", "webvtt"}
"""Codecs whose packets are the text, with tags in angle brackets."""
_SCRIPTED = {"ass", "ssa"}
"""Codecs whose packets are eight fields and the text, with commands in braces."""
_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""What the mov_text encoder has to be told before its track can be written; never shown."""


def shift(
    track: Any, target: Any, origin_s: Fraction, removed_s: Sequence[tuple[Fraction, Fraction | None]]
) -> Iterator[Any]:
    """Packets of `track` as mov_text for a new stream of `target`, in the time that is left.

    Times are seconds after `origin_s`. A cue that is cut in the middle stays for what is left of it. Yields
    None first, when the stream is made; a track of pictures (VobSub, PGS) cannot lie in MP4 and is left out.
    """
    codec = str(track.codec_context.codec.canonical_name)
    out = None
    if codec == "mov_text":
        out = target.add_stream_from_template(track)
    elif codec in _PLAIN | _SCRIPTED:
        out = target.add_stream("mov_text")
        out.codec_context.subtitle_header = _HEADER
    if out is None:
        yield None
        return
    out.metadata.update({k: v for k, v in track.metadata.items() if k in ("language", "title", "handler_name")})
    yield None
    last = -1
    for packet in track.container.demux(track):
        data = _sample(bytes(packet), codec) if packet.size and packet.pts is not None else b""
        if not data:
            continue
        start_s = packet.pts * packet.time_base - origin_s
        begin = round(_left(start_s, removed_s) * _TICKS)
        end = round(_left(start_s + (packet.duration or 0) * packet.time_base, removed_s) * _TICKS)
        if end <= begin:
            continue
        cue = av.Packet(data)
        cue.pts = cue.dts = last = max(begin, last + 1, 0)
        cue.duration, cue.time_base, cue.stream = max(1, end - cue.pts), Fraction(1, _TICKS), out
        cue.is_keyframe = True
        yield cue


def _sample(data: bytes, codec: str) -> bytes:
    """A mov_text sample: length, text (3GPP TS 26.245, 5.17). Empty where there is no text to show."""
    if codec == "mov_text":
        return data if len(data) > 2 and data[:2] != b"\x00\x00" else b""
    words = data.decode("utf-8", "replace").strip("\0")
    if codec in _SCRIPTED:
        words = re.sub(r"\{[^}]*\}", "", words.split(",", 8)[-1].replace("\\N", "\n").replace("\\n", "\n"))
    else:
        words = re.sub(r"</?[a-zA-Z][^>]*>", "", words)
    text = words.strip().encode()[:0xFFFF]
    return len(text).to_bytes(2, "big") + text if text else b""


def _left(at_s: Fraction, removed_s: Sequence[tuple[Fraction, Fraction | None]]) -> Fraction:
    """Where an instant lies once `removed_s` are gone; an instant inside one lies where it was."""
    gone = sum((at_s if b is None else min(at_s, b)) - a for a, b in removed_s if a < at_s)
    return max(Fraction(0), at_s - gone)
