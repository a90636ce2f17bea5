"""What the long runs have found, each in its smallest form. These run with every other test."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from classifiers.lines import read_lines
from provenance import media
from provenance.asset import AssetKind
from tests.provenance.made_films import sound_only


def test_a_picture_that_cannot_be_told_is_refused_without_telling_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "cover.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    with pytest.raises(media.Unusable) as refused:
        media.probe(path)
    assert str(refused.value) == "cover.png is not a picture that can be read: export it again"


def animated(path: Path) -> Path:
    shades = [Image.new("RGB", (32, 32), (40 * n, 90, 200 - 30 * n)) for n in range(5)]
    shades[0].save(path, save_all=True, append_images=shades[1:], duration=200)
    return path


def test_an_animation_of_which_some_pictures_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    path = animated(tmp_path / "a.webp")
    assert media.probe(path).duration_us == 1_000_000
    data = bytearray(path.read_bytes())
    third = [at for at in range(len(data)) if data.startswith(b"ANMF", at)][2]
    size = int.from_bytes(data[third + 4 : third + 8], "little")
    data[third + 4 : third + 8] = (size + 8).to_bytes(4, "little")  # it reaches into the header of the next
    path.write_bytes(data)
    with pytest.raises(media.Unusable, match=r"^a\.webp "), media.decode(path) as decoding:
        list(decoding)


def test_words_where_a_subtitle_has_its_number_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\n你好\n\n加微信\n00:00:01,000 --> 00:00:02,000\n再见\n", "utf-8")
    said = [(line.text, line.where is None) for line in read_lines(path, AssetKind.SCRIPT, None)]
    assert said == [("你好", False), ("加微信", True), ("再见", False)]


def test_sound_in_an_unknown_coding_is_refused(tmp_path: Path) -> None:
    path = sound_only(tmp_path / "a.wav", seconds=1, codec="pcm_s16le")
    assert media.probe(path).audio_codec == "pcm_s16le"
    data = bytearray(path.read_bytes())
    at = data.index(b"fmt ") + 8
    data[at : at + 2] = b"\x99\x99"
    path.write_bytes(data)
    with pytest.raises(media.Unusable, match=r"^a\.wav holds sound in a coding nobody here can decode"):
        media.probe(path)


def test_an_animation_cut_off_in_a_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    shades = [Image.linear_gradient("L").rotate(50 * n) for n in range(4)]
    shades[0].save(path, save_all=True, append_images=shades[1:], duration=200)
    whole = path.read_bytes()
    assert media.probe(path).duration_us == 800_000
    for end in range(len(whole) // 2, len(whole) // 2 + 2000, 7):
        path.write_bytes(whole[:end])
        try:
            media.probe(path)
        except media.Unusable as refused:
            assert str(refused).startswith("a.gif "), end  # noqa: PT017 - some cuts leave whole pictures
