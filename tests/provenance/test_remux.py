"""Laying a film out anew loses no picture and changes no essence, whatever the container left unsaid."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from provenance import media

FRAMES = 41


def _film(path: Path, *, subtitles: bool = False) -> Path:
    """A film with B-frames; with two subtitles that have time between them, where asked for."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt, video.options = 160, 120, "yuv420p", {"bf": "3"}
        text = out.add_stream("mov_text") if subtitles else None
        if text is not None:
            text.time_base = Fraction(1, 1000)
            text.codec_context.subtitle_header = b"[Events]\n"
        for n in range(FRAMES):
            picture = np.zeros((120, 160, 3), np.uint8)
            picture[:, n * 3 : n * 3 + 12] = 255
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())
        if text is not None:
            for start in (200, 900):
                words = "一句台词".encode()
                packet = av.Packet(len(words).to_bytes(2, "big") + words)
                packet.stream, packet.time_base, packet.is_keyframe = text, Fraction(1, 1000), True
                packet.pts = packet.dts = start
                packet.duration = 400
                out.mux(packet)
    return path


def _pictures(path: Path) -> list[int]:
    with av.open(str(path)) as film:
        return [int(frame.to_ndarray(format="gray").argmax()) for frame in film.decode(video=0)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".ts"])
def test_every_picture_survives_being_laid_out_anew(suffix: str, tmp_path: Path) -> None:
    film = _film(tmp_path / f"film{suffix}")
    media.normalise(film, tmp_path / "anew.mp4")
    assert _pictures(tmp_path / "anew.mp4") == _pictures(film)
    assert len(_pictures(film)) == FRAMES


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_essence_is_the_same_before_and_after(suffix: str, tmp_path: Path) -> None:
    film = _film(tmp_path / f"film{suffix}")
    assert media.normalise(film, tmp_path / "anew.mp4") == media.essence(film)


def test_a_subtitle_track_does_not_grow_with_every_remux(tmp_path: Path) -> None:
    film = _film(tmp_path / "film.mp4", subtitles=True)
    once, twice = tmp_path / "once.mp4", tmp_path / "twice.mp4"
    media.remux(film, once)
    media.remux(once, twice, metadata={"AIGC": "{}"})
    assert media.essence(film) == media.essence(once) == media.essence(twice)
    assert once.stat().st_size < twice.stat().st_size + 200 < once.stat().st_size + 2000


def test_an_animated_webp_is_edited_as_the_film_it_is(tmp_path: Path) -> None:
    from PIL import Image

    from provenance.asset import TimeRange
    from provenance.edit import change

    pictures = [Image.new("RGB", (91, 60), (n * 20, 80, 120)) for n in range(12)]
    pictures[0].save(tmp_path / "moving.webp", save_all=True, append_images=pictures[1:], duration=100, lossless=True)
    done = change(tmp_path / "moving.webp", tmp_path / "cut.mp4", cuts=[TimeRange(300_000, 600_000)])
    assert done.duration_us == 900_000
    assert len(_pictures(tmp_path / "cut.mp4")) == 9
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.mp4", "moving.webp"]
