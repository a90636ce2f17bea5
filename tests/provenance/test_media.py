"""Reading films, pictures and sound; laying them out anew; one sentence for what cannot be used."""

from __future__ import annotations

import base64
import io
import itertools
import os
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from provenance import media
from provenance.media import Unusable
from tests.provenance import made_films


def decoded(path: Path) -> list[media.RawFrame]:
    with media.decode(path) as decoding:
        return list(decoding)


def probed_and_decoded(path: Path) -> list[media.RawFrame]:
    media.probe(path)
    return decoded(path)


# --- what a file holds --------------------------------------------------------------------------


def test_a_film_is_described_as_it_is_seen(tmp_path: Path) -> None:
    path = made_films.film(tmp_path / "a.mp4", seconds=2, fps=25, size=(144, 256), cues=[(0.0, 1.0, "你好")])
    assert media.probe(path) == media.MediaInfo(
        container="mp4",
        mime="video/mp4",
        duration_us=2_000_000,
        width=144,
        height=256,
        rotation=0,
        fps=25.0,
        video_codec="h264",
        audio_codec="aac",
        subtitle_tracks=1,
        still=False,
    )


def test_a_picture_is_a_still_of_one_microsecond(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30), (10, 200, 30)).save(path)
    info = media.probe(path)
    assert (info.container, info.mime, info.width, info.height, info.still) == ("png", "image/png", 40, 30, True)
    (frame,) = decoded(path)
    assert (frame.at_us, frame.until_us, frame.rgb()[0, 0].tolist()) == (0, 1, [10, 200, 30])


def test_a_phone_picture_stands_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    picture = Image.new("RGB", (64, 32), "black")
    picture.paste("white", (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise
    picture.save(path, exif=exif)
    info = media.probe(path)
    assert (info.width, info.height) == (32, 64)
    (frame,) = decoded(path)
    assert frame.luma()[:24].mean() > 250 > 5 > frame.luma()[40:].mean()


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_frames_of_a_rotated_film_come_upright(tmp_path: Path, turned: int) -> None:
    path = made_films.film(tmp_path / "a.mp4", seconds=1, size=(144, 256), rotation=turned, sound=None)
    plain = made_films.film(tmp_path / "b.mp4", seconds=1, size=(144, 256), sound=None)
    info = media.probe(path)
    assert info.rotation == turned
    assert (info.width, info.height) == ((144, 256) if turned in (0, 180) else (256, 144))
    frame, upright = decoded(path)[7], decoded(plain)[7]
    assert np.array_equal(frame.luma(), np.rot90(upright.luma(), -turned // 90))
    assert np.array_equal(frame.rgb(), np.rot90(upright.rgb(), -turned // 90))
    assert np.allclose(frame.luma64(), np.rot90(upright.luma64(), -turned // 90), atol=1e-3)


@pytest.mark.parametrize(("form", "save"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})])
def test_an_animation_is_a_film(tmp_path: Path, form: str, save: dict[str, bool]) -> None:
    path = tmp_path / f"a.{form.lower()}"
    pictures = [Image.new("RGB", (32, 24), (shade, shade, shade)) for shade in (0, 120, 250)]
    pictures[0].save(path, form, save_all=True, append_images=pictures[1:], duration=[50, 80, 200], loop=0, **save)
    info = media.probe(path)
    assert (info.still, info.duration_us, info.width) == (False, 330_000, 32)
    assert [(f.at_us, f.until_us, round(float(f.luma64().mean()))) for f in decoded(path)] == [
        (0, 50_000, 0),
        (50_000, 130_000, 120),
        (130_000, 330_000, 250),
    ]


def test_words_on_nothing_can_be_read(tmp_path: Path) -> None:
    for ink, name in ((255, "white"), (0, "black")):
        path = tmp_path / f"{name}.png"
        picture = Image.new("RGBA", (60, 20), (ink, ink, ink, 0))
        picture.paste((ink, ink, ink, 255), (20, 5, 40, 15))
        picture.save(path)
        (frame,) = decoded(path)
        assert abs(int(frame.luma()[10, 30]) - int(frame.luma()[1, 1])) > 200


# --- frames and their times ---------------------------------------------------------------------


def test_frames_follow_each_other_without_gaps(tmp_path: Path) -> None:
    path = made_films.film(tmp_path / "a.mp4", seconds=2, fps=24)
    frames = decoded(path)
    assert [f.index for f in frames] == list(range(48))
    assert frames[0].at_us == 0
    for before, after in itertools.pairwise(frames):
        assert before.at_us < before.until_us
        assert after.at_us <= before.until_us <= after.at_us + 1  # rounded outwards
    assert frames[-1].until_us == 2_000_000


def test_uneven_frame_times_are_kept(tmp_path: Path) -> None:
    ticks = [0, 40, 41, 200, 900, 933]
    path = made_films.film(tmp_path / "a.mp4", times=ticks, time_base=Fraction(1, 1000), sound=None)
    assert [f.at_us for f in decoded(path)] == [t * 1000 for t in ticks]


def test_times_begin_at_the_first_frame(tmp_path: Path) -> None:
    late = made_films.film(tmp_path / "a.mkv", times=[5000, 5040, 5080], time_base=Fraction(1, 1000), sound=None)
    assert [f.at_us for f in decoded(late)] == [0, 40_000, 80_000]


@pytest.mark.parametrize(
    ("pix_fmt", "codec"),
    [
        ("yuv420p", "libx264"),
        ("yuvj420p", "libx264"),
        ("yuv422p", "libx264"),
        ("yuv444p", "libx264"),
        ("yuv420p10le", "libx264"),
        ("gray", "ffv1"),
        ("bgr0", "ffv1"),
        ("yuv422p10le", "ffv1"),
        ("gray16le", "ffv1"),
        ("yuyv422", "rawvideo"),
        ("nv12", "rawvideo"),
    ],
)
def test_every_pixel_format_gives_the_same_picture(tmp_path: Path, pix_fmt: str, codec: str) -> None:
    """Full-range luma, whatever the range, depth and layout of the planes."""
    path = tmp_path / "a.mkv"
    ramp = np.tile(np.linspace(0, 255, 128).astype(np.uint8), (96, 1))
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, pix_fmt
        if codec == "libx264":
            stream.options = {"crf": "1"}
        picture = av.VideoFrame.from_ndarray(np.repeat(ramp[:, :, None], 3, axis=2), format="rgb24")
        for n in range(3):
            frame = picture.reformat(format=pix_fmt)
            frame.pts = n
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    frame = decoded(path)[1]
    assert np.abs(frame.luma().astype(int) - ramp).max() <= 4
    assert np.abs(frame.rgb().astype(int) - ramp[:, :, None]).max() <= 6
    assert np.abs(frame.luma64() - ramp.reshape(96, 64, 2).mean(2)[:64]).max() <= 4
    assert np.abs(frame.chroma32()).max() <= 3


def test_colours_are_converted_by_the_films_own_matrix(tmp_path: Path) -> None:
    """One red, coded by BT.601 and by BT.709, comes out as one red."""
    for matrix, name in ((5, "ITU601"), (1, "ITU709")):
        path = tmp_path / f"{name}.mkv"
        red = np.zeros((64, 64, 3), np.uint8)
        red[:] = (200, 30, 40)
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv444p"
            stream.options = {"crf": "1"}
            stream.codec_context.colorspace = matrix
            frame = av.VideoFrame.from_ndarray(red, format="rgb24").reformat(format="yuv444p", dst_colorspace=name)
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        assert np.abs(decoded(path)[0].rgb()[32, 32].astype(int) - (200, 30, 40)).max() <= 3


# --- laid out anew ------------------------------------------------------------------------------


def samples(path: Path) -> list[list[tuple[Fraction, bytes]]]:
    with av.open(str(path)) as container:
        tracks: list[list[tuple[Fraction, bytes]]] = [[] for _ in container.streams]
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                tracks[packet.stream.index].append((packet.pts * packet.time_base, bytes(packet)))
    return tracks


def test_remuxing_keeps_samples_times_metadata_and_rotation(tmp_path: Path) -> None:
    src = made_films.film(
        tmp_path / "a.mp4", seconds=2, rotation=90, cues=[(0.2, 1.4, "字幕")], metadata={"title": "第一集"}
    )
    dst = tmp_path / "b.mp4"
    media.remux(src, dst, metadata={"AIGC": '{"Label":"1"}', "empty": ""})
    assert samples(dst) == samples(src)
    assert media.probe(dst) == media.probe(src)
    assert media.essence(dst) == media.essence(src)
    with av.open(str(dst)) as container:
        said = {k: v for k, v in container.metadata.items() if k in ("title", "AIGC", "empty", "encoder")}
    assert said == {"title": "第一集", "AIGC": '{"Label":"1"}'} | (
        {"encoder": said["encoder"]} if "encoder" in said else {}
    )


def test_every_sample_lies_in_one_mdat(tmp_path: Path) -> None:
    src = made_films.film(tmp_path / "a.mp4", seconds=1)
    dst = tmp_path / "b.mp4"
    media.normalise(src, dst)
    data, at, boxes = dst.read_bytes(), 0, []
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        boxes.append(name.decode())
        at += length
    assert (at, boxes) == (len(data), ["ftyp", "moov", "free", "mdat"] if "free" in boxes else ["ftyp", "moov", "mdat"])


def test_a_matroska_film_with_srt_subtitles_becomes_mp4_with_the_same_words(tmp_path: Path) -> None:
    src = made_films.film(
        tmp_path / "a.mkv", seconds=2, cues=[(0.25, 1.0, "第一句"), (1.0, 1.5, "<i>second</i>")], subtitles="subrip"
    )
    dst = tmp_path / "b"
    essence = media.normalise(src, dst)
    info = media.probe(dst)
    assert (info.container, info.subtitle_tracks, essence) == ("mp4", 1, media.essence(dst))
    with av.open(str(dst)) as container:
        words = [bytes(p)[2:].decode() for p in container.demux(subtitles=0) if p.size > 2]
    assert words == ["第一句", "second"]


def test_essence_tells_another_sample_and_another_time(tmp_path: Path) -> None:
    one = made_films.film(tmp_path / "a.mp4", seconds=1, sound=None)
    other = made_films.film(tmp_path / "b.mp4", seconds=1, sound=None, x264="qpmin=20")
    slower = made_films.film(
        tmp_path / "c.mp4", times=[i * 41 for i in range(25)], time_base=Fraction(1, 1000), sound=None
    )
    assert len({media.essence(p) for p in (one, other, slower)}) == 3


@pytest.mark.parametrize(("suffix", "save"), [("png", {}), ("jpg", {"quality": 90}), ("webp", {}), ("gif", {})])
def test_a_pictures_essence_is_what_is_drawn_not_what_is_said(
    tmp_path: Path, suffix: str, save: dict[str, Any]
) -> None:
    picture = Image.fromarray(made_films.numbered(5, 96, 64, flash=False)).convert("RGB")
    plain, said, other = (tmp_path / f"{n}.{suffix}" for n in ("plain", "said", "other"))
    picture.save(plain, **save)
    match suffix:
        case "png":
            from PIL.PngImagePlugin import PngInfo

            words = PngInfo()
            words.add_text("AIGC", '{"Label":"1"}')
            picture.save(said, pnginfo=words)
        case "gif":
            picture.save(said, comment=b"AIGC", **save)
        case _:
            picture.save(said, xmp=b"<x:xmpmeta>AIGC</x:xmpmeta>", **save)
    picture.rotate(180).save(other, **save)
    assert media.essence(plain) == media.essence(said) != media.essence(other)
    assert plain.read_bytes() != said.read_bytes()


# --- sound --------------------------------------------------------------------------------------


def test_sound_comes_as_one_channel_at_the_rate_asked_for(tmp_path: Path) -> None:
    path = made_films.sound_only(tmp_path / "a.m4a", seconds=3)
    wave = media.sound(path, 6000)
    assert abs(wave.size - 18_000) < 400
    loud = np.abs(wave.reshape(-1)[:17_400].reshape(-1, 300)).max(axis=1) > 0.3
    assert np.flatnonzero(loud).tolist() in (
        [0, 20, 40],
        [0, 1, 20, 21, 40, 41],
        [0, 19, 20, 39, 40],
        [0, 20, 21, 40, 41],
    )
    assert media.probe(path).width == 0


def test_a_silent_film_has_no_samples(tmp_path: Path) -> None:
    assert media.sound(made_films.film(tmp_path / "a.mp4", seconds=1, sound=None), 6000).size == 0


# --- bad input: one sentence saying what, where, what to do ---------------------------------------


def a_cover() -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(drawn, "JPEG")
    return drawn.getvalue()


def flac_picture(mime: bytes = b"image/jpeg") -> bytes:
    """RFC 9639 section 8.8."""
    drawn = a_cover()
    head = struct.pack(">II", 3, len(mime)) + mime + struct.pack(">IIIIII", 0, 32, 32, 24, 0, len(drawn))
    return head + drawn


def id3_with_picture(mime: bytes) -> bytes:
    body = b"\0" + mime + b"\0\x03\0" + a_cover()
    frame = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame


def covered(path: Path) -> None:
    """Write a recording with a picture to `path`, whose name says in which way."""
    plain = path.with_stem("plain")
    match path.name:
        case "attached.mp3":
            made_films.recording(path, "libmp3lame", cover=a_cover())
        case "unknown.mp3":  # of a type FFmpeg passes over
            made_films.recording(plain, "libmp3lame")
            path.write_bytes(id3_with_picture(b"image/heic") + plain.read_bytes())
        case "attached.flac":
            made_films.recording(path, "flac", cover=a_cover())
        case "broken.flac":  # a block FFmpeg passes over
            made_films.recording(plain, "flac")
            data, block = plain.read_bytes(), flac_picture(b"image/heic")
            path.write_bytes(data[:42] + b"\x06" + len(block).to_bytes(3, "big") + block + data[42:])
        case "attached.m4a":
            made_films.recording(path, "aac", form="mp4", cover=a_cover())
        case "block.ogg":
            coded = base64.b64encode(flac_picture()).decode()
            made_films.recording(path, "libopus", metadata={"METADATA_BLOCK_PICTURE": coded})
        case "old.ogg":
            made_films.recording(path, "libopus", metadata={"COVERART": base64.b64encode(a_cover()).decode()})
        case _:
            raise ValueError(path.name)


@pytest.mark.parametrize(
    "name", ["attached.mp3", "unknown.mp3", "attached.flac", "broken.flac", "attached.m4a", "block.ogg", "old.ogg"]
)
def test_sound_with_a_cover_picture_is_refused(tmp_path: Path, name: str) -> None:
    covered(tmp_path / name)
    with pytest.raises(Unusable, match="carries a cover picture that nobody would look at: take it out, or submit"):
        media.normalise(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "libmp3lame"), ("a.flac", "flac"), ("a.m4a", "aac"), ("a.ogg", "libopus")]
)
def test_sound_without_a_picture_is_let_through(tmp_path: Path, name: str, codec: str) -> None:
    made_films.recording(tmp_path / name, codec, metadata={"title": "主题曲"})
    assert media.normalise(tmp_path / name, tmp_path / "out") == media.essence(tmp_path / "out")


def with_cover(src: Path, dst: Path) -> None:
    with av.open(str(src)) as source, av.open(str(dst), "w") as target:
        tracks = {s.index: target.add_stream_from_template(s) for s in source.streams}
        picture = target.add_stream("mjpeg", rate=1)
        picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
        picture.disposition = Disposition.attached_pic
        target.start_encoding()
        packet = av.Packet(a_cover())
        packet.pts, packet.dts, packet.time_base, packet.stream = 0, 0, Fraction(1, 25), picture
        packet.is_keyframe = True
        target.mux_one(packet)
        for packet in source.demux():
            if packet.size:
                packet.stream = tracks[packet.stream.index]
                target.mux_one(packet)


def test_a_films_cover_picture_is_left_behind(tmp_path: Path) -> None:
    with_cover(made_films.film(tmp_path / "plain.mp4", seconds=1), tmp_path / "a.mp4")
    assert a_cover() in (tmp_path / "a.mp4").read_bytes()
    media.normalise(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert a_cover() not in (tmp_path / "b.mp4").read_bytes()
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [s.type for s in container.streams] == ["video", "audio"]


def test_tags_are_those_of_the_file_its_tracks_and_its_chapters(tmp_path: Path) -> None:
    path = made_films.recording(tmp_path / "a.flac", "flac", metadata={"title": "主题曲"})
    assert ("title", "主题曲") in media.tags(path)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert media.tags(tmp_path / "a.png") == ()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def cut_short(path: Path, share: float = 0.7) -> None:
    made_films.film(path, seconds=2)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def cut_short_after_the_index(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    media.normalise(made_films.film(path, seconds=2), whole)
    path.write_bytes(whole.read_bytes()[:-2000])


def scribbled_over(path: Path) -> None:
    media.normalise(made_films.film(path.with_name("src.mp4"), seconds=3, sound=None), path)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    dice = np.random.default_rng(4)
    for at in dice.integers(start + (len(data) - start) // 4, len(data), 40):
        data[at] = dice.integers(256)
    path.write_bytes(data)


def zero_frames(path: Path) -> None:
    with av.open(str(path), "w", options={"movflags": "empty_moov"}) as out:
        stream = out.add_stream("libx264", rate=24)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        out.start_encoding()


def backwards(path: Path) -> None:
    """A film whose frames are shown in an order that no clock has."""
    src = made_films.film(path.with_name("src.mkv"), seconds=1, sound=None, b_frames=0)
    with av.open(str(src)) as source, av.open(str(path), "w", format="matroska") as out:
        track = out.add_stream_from_template(source.streams.video[0])
        for n, packet in enumerate(p for p in source.demux() if p.size):
            packet.stream = track
            packet.pts, packet.dts, packet.time_base = 2000 + (n if n < 12 else 24 - n) * 40, n, Fraction(1, 1000)
            out.mux_one(packet)


def two_films(path: Path) -> None:
    src = made_films.film(path.with_name("src.mp4"), seconds=1, sound=None)
    with av.open(str(src)) as source, av.open(str(path), "w") as out:
        tracks = [out.add_stream_from_template(source.streams.video[0]) for _ in range(2)]
        for packet in source.demux():
            if packet.size:
                for track in tracks:
                    copy = av.Packet(bytes(packet))
                    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                    copy.is_keyframe, copy.stream = packet.is_keyframe, track
                    out.mux_one(copy)


def thousand_a_second(path: Path) -> None:
    made_films.film(path, times=list(range(600)), time_base=Fraction(1, 1000), sound=None, size=(48, 48))


def hours(path: Path) -> None:
    made_films.film(path, times=[0, 40, 7 * 3_600_000], time_base=Fraction(1, 1000), sound=None)


def half_a_picture(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "text": ("a.mp4", lambda p: p.write_text("This is a letter, not a film.\n" * 40), "is a text file"),
    "playlist": ("a.mp4", lambda p: p.write_text("#EXTM3U\n#EXTINF:9,\n/etc/passwd\n"), "is a text file"),
    "concat": ("a.mp4", lambda p: p.write_text("ffconcat version 1.0\nfile other.mp4\n"), "is a text file"),
    "empty": ("a.mp4", lambda p: p.write_bytes(b""), "is empty"),
    "noise": ("a.mp4", lambda p: p.write_bytes(np.random.default_rng(0).bytes(50_000)), "is not media"),
    "cut short": ("a.mp4", cut_short, "is truncated"),
    "cut after the index": ("a.mp4", cut_short_after_the_index, "is truncated"),
    "scribbled over": ("a.mp4", scribbled_over, "damaged"),
    "no frames": ("a.mp4", zero_frames, "frame"),
    "backwards": ("a.mkv", backwards, "run backwards"),
    "two films": ("a.mp4", two_films, "2 video tracks"),
    "too fast": ("a.mp4", thousand_a_second, "frames in the second"),
    "too long": ("a.mp4", hours, "the limit is 6 h"),
    "folder": ("a.mp4", lambda p: p.mkdir(), "is a folder"),
    "missing": ("a.mp4", lambda _: None, "does not exist"),
    "pipe": ("a.mp4", lambda p: os.mkfifo(p), "is not an ordinary file"),
    "bomb": ("a.png", bomb, "exceeds limit"),
    "half a png": ("a.png", half_a_picture, "cut off"),
    "half a jpeg": ("a.jpg", half_a_picture, "cut off"),
    "half a gif": ("a.gif", half_a_picture, "cut off"),
    "half a webp": ("a.webp", half_a_picture, "cut off"),
}


@pytest.mark.parametrize("which", BAD)
def test_bad_input_is_refused_in_one_sentence(tmp_path: Path, which: str) -> None:
    name, make, what = BAD[which]
    path = tmp_path / name
    make(path)
    with pytest.raises(Unusable) as refused:
        probed_and_decoded(path)
    sentence = str(refused.value)
    assert what in sentence
    assert path.name in sentence
    assert str(tmp_path) not in sentence
    assert "\n" not in sentence
    if which not in ("scribbled over", "backwards", "too fast", "half a jpeg"):  # those show when decoded
        with pytest.raises(Unusable):
            media.normalise(path, tmp_path / "out")


@pytest.mark.parametrize("name", ["concat:a.mp4|b.mp4", "subfile,,start,0,end,9,,:a.mp4", "http:a.mp4"])
def test_a_name_is_only_ever_a_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(made_films.film(tmp_path / "a.mp4", seconds=1, sound=None).read_bytes())
    assert media.probe(path).fps == 25.0


def test_a_pattern_opens_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "frame%03d.mp4"
    path.write_bytes(made_films.film(tmp_path / "frame001.mp4", seconds=1, sound=None).read_bytes())
    pattern = tmp_path / "frame%03d.png"
    pattern.write_bytes(path.read_bytes())
    Image.new("RGB", (8, 8)).save(tmp_path / "frame001.png")
    assert media.probe(path).fps == 25.0
    with pytest.raises(Unusable, match=r"frame%03d\.png"):
        media.probe(pattern)


@pytest.mark.corpus
def test_every_real_film_and_picture_survives_being_laid_out_anew(corpus: Path, tmp_path: Path) -> None:
    kinds = (".mp4", ".gif", ".webp", ".png", ".jpg", ".ogg", ".wav")
    folders = ("ai_clips", "shots", "talking_head", "real_clips", "audio", "image_copy", "ocr")
    paths = sorted(p for folder in folders for p in (corpus / folder).rglob("*") if p.suffix in kinds)
    assert len(paths) > 50
    for path in paths:
        essence = media.normalise(path, tmp_path / "out")
        again = media.normalise(tmp_path / "out", tmp_path / "again")
        assert (path.name, essence) == (path.name, again)
