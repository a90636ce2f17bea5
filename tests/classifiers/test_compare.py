"""Two pictures, two films, two recordings: the same or not, and where."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from classifiers import audio_print
from classifiers.compare import compare_audio, compare_pictures, compare_videos, must_be_recognisable, unusable
from provenance.media import Unusable
from tests.classifiers import moving
from tests.classifiers.test_near_copy import clip
from tests.provenance import made_films


def about(value: float, within: float = 300_000) -> Any:
    return pytest.approx(value, abs=within)


# --- pictures ---------------------------------------------------------------------------------------


def framed(picture: Image.Image) -> Image.Image:
    out = Image.new("RGB", (picture.width, picture.height * 8 // 5))
    out.paste(picture, (0, picture.height * 3 // 10))
    return out


def signed(picture: Image.Image) -> Image.Image:
    out = picture.copy()
    ImageDraw.Draw(out).rectangle((10, 10, out.width // 7, out.height // 12), fill=(150, 150, 150))
    return out


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "itself": lambda p: p,
    "scaled": lambda p: p.resize((90, 150)),
    "stretched": lambda p: p.resize((400, 200)),
    "grey": lambda p: p.convert("L"),
    "mirrored": ImageOps.mirror,
    "turned": lambda p: p.rotate(90, expand=True),
    "upside down": lambda p: p.rotate(180),
    "in bars": framed,
    "with a small logo": signed,
    "brighter": lambda p: p.point(lambda v: min(255, int(v * 0.8 + 50))),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_picture_is_the_same_picture(tmp_path: Path, edit: str) -> None:
    picture = Image.fromarray(moving.scenery(1, 320, 240))
    a, b = tmp_path / "a.png", tmp_path / "b.jpg"
    picture.save(a)
    EDITS[edit](picture).convert("RGB").save(b, quality=70)
    row = compare_pictures(a, b)
    assert (row["match"], row["ranges"], row["a"], row["b"]) == ("yes", [], str(a), str(b))
    assert row["score"] > 0.75
    assert compare_pictures(b, a)["match"] == "yes"


def test_another_picture_is_not(tmp_path: Path) -> None:
    paths = []
    for seed in range(6):
        paths.append(tmp_path / f"{seed}.png")
        Image.fromarray(moving.scenery(seed, 320, 240)).save(paths[-1])
    rows = [compare_pictures(a, b) for a, b in combinations(paths, 2)]
    assert {row["match"] for row in rows} == {"no"}
    assert max(row["score"] for row in rows) < 0.5


def test_a_plain_picture_is_called_unusable_whichever_side_it_is(tmp_path: Path) -> None:
    plain, busy = tmp_path / "plain.png", tmp_path / "busy.png"
    Image.new("RGB", (200, 200), (30, 90, 200)).save(plain)
    Image.fromarray(moving.scenery(1)).save(busy)
    for pair in ((plain, busy), (busy, plain), (plain, plain)):
        row = compare_pictures(*pair)
        assert (row["match"], row["score"]) == ("unusable", 0.0)
        assert row["why"] == "plain.png is too plain to tell from other pictures"
    with pytest.raises(Unusable, match=r"plain\.png is too plain"):
        must_be_recognisable(plain)
    must_be_recognisable(busy)


def test_sound_is_no_picture(tmp_path: Path) -> None:
    sound = made_films.sound_only(tmp_path / "a.m4a", seconds=1)
    with pytest.raises(Unusable, match="holds no picture"):
        compare_pictures(sound, sound)


def test_an_unreadable_side_has_a_row_too() -> None:
    assert unusable("a.png is empty") == {"score": 0.0, "match": "unusable", "ranges": [], "why": "a.png is empty"}


# --- films ------------------------------------------------------------------------------------------


def test_a_trimmed_film_is_found_with_its_ranges(tmp_path: Path) -> None:
    whole = moving.film(tmp_path / "whole.mp4", clip(1, 6))
    part = moving.film(tmp_path / "part.mp4", clip(1, 6)[48:120], crf=30)
    row = compare_videos(part, whole)
    assert (row["match"], row["ranges"]) == (
        "yes",
        [[about(0), about(3_000_000), about(2_000_000), about(5_000_000)]],
    )
    assert row["score"] > 0.8


def test_another_film_is_not_and_a_black_one_is_unusable(tmp_path: Path) -> None:
    one = moving.film(tmp_path / "one.mp4", clip(1, 4))
    other = moving.film(tmp_path / "other.mp4", clip(2, 4))
    black = moving.film(tmp_path / "black.mp4", [np.zeros((160, 96, 3), np.uint8)] * 24)
    row = compare_videos(one, other)
    assert (row["match"], row["ranges"]) == ("no", [])
    assert row["score"] < 0.5
    assert compare_videos(one, black)["why"] == "black.mp4 holds no frame that could be told from others"


def test_a_few_frames_in_common_are_possible_not_certain(tmp_path: Path) -> None:
    one = moving.film(tmp_path / "one.mp4", clip(2, 2) + [moving.scenery(9)] * 15)
    other = moving.film(tmp_path / "other.mp4", [moving.scenery(9)] * 15 + [np.zeros((160, 96, 3), np.uint8)] * 40)
    assert compare_videos(one, other)["match"] == "possible"


# --- sound ------------------------------------------------------------------------------------------

RATE = 44_100


def tune(seed: int, seconds: float) -> NDArray[np.float32]:
    """Notes with overtones, at random: melodious enough to be recognised."""
    dice = np.random.default_rng(seed)
    wave = np.zeros(round(seconds * RATE), np.float64)
    for start in np.arange(0, seconds, 0.25):
        for _ in range(2):
            at = np.arange(round(0.4 * RATE)) / RATE
            note = 220 * 2 ** (dice.integers(0, 36) / 12)
            sound = (
                sum(np.sin(2 * np.pi * note * k * at) / k for k in range(1, 5))
                * np.exp(-6 * at)
                * dice.uniform(0.05, 0.2)
            )
            first = round(start * RATE)
            piece = sound[: len(wave) - first]
            wave[first : first + len(piece)] += piece
    return (wave + dice.normal(0, 0.002, len(wave))).astype(np.float32)


def write(path: Path, wave: NDArray[np.float32], codec: str = "pcm_s16le", rate: int = RATE, kbit: int = 0) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        if kbit:
            stream.bit_rate = kbit * 1000
        resampler = av.AudioResampler(stream.codec_context.format.name, "mono", rate, stream.codec_context.frame_size)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "kbit"),
    [("wav", "pcm_s16le", 16_000, 0), ("m4a", "aac", 44_100, 48), ("mp3", "libmp3lame", 22_050, 32)],
)
def test_a_re_encoded_excerpt_is_found_where_it_is(
    tmp_path: Path, suffix: str, codec: str, rate: int, kbit: int
) -> None:
    whole = tune(1, 12)
    a = write(tmp_path / "a.wav", whole)
    excerpt = whole[round(4.2 * RATE) : round(9.2 * RATE)] * 0.4
    b = write(tmp_path / f"b.{suffix}", np.concatenate([tune(2, 3), excerpt, tune(3, 2)]), codec, rate, kbit)
    row = compare_audio(a, b)
    assert row["match"] == "yes"
    assert row["ranges"] == [[about(4_200_000), about(9_200_000), about(3_000_000), about(8_000_000)]]
    ((a_start, _, b_start, _),) = row["ranges"]
    assert b_start - a_start == about(-1_200_000, 60_000)
    assert row["score"] > 0.5


def test_another_tune_is_not_the_same(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.wav", tune(n, 8)) for n in range(4)]
    rows = [compare_audio(a, b) for a, b in combinations(paths, 2)]
    assert {row["match"] for row in rows} == {"no"}
    assert max(row["score"] for row in rows) < 0.28


def test_too_short_and_silent_sound_is_unusable(tmp_path: Path) -> None:
    good = write(tmp_path / "good.wav", tune(1, 5))
    short = write(tmp_path / "short.wav", tune(1, 2.8))
    silent = write(tmp_path / "silent.wav", np.zeros(6 * RATE, np.float32))
    assert compare_audio(good, short)["why"] == "short.wav has 2.8 s of sound, and 3 s are needed"
    assert compare_audio(silent, good)["why"] == "silent.wav has only 0.0 s that are not silent, and 3 s are needed"
    assert compare_audio(good, write(tmp_path / "long.wav", tune(1, 3.2)))["match"] == "yes"


def test_a_film_without_sound_cannot_be_compared(tmp_path: Path) -> None:
    film = moving.film(tmp_path / "a.mp4", moving.panning(1, 24))
    with pytest.raises(Unusable, match="holds no sound"):
        compare_audio(film, film)


# --- real files -------------------------------------------------------------------------------------


@pytest.mark.corpus
def test_real_edits_are_the_picture_and_real_pictures_are_not(corpus: Path) -> None:
    folder = corpus / "image_copy"
    edits = sorted((folder / "bridge-mods").iterdir())
    others = [
        *(folder / "negatives").iterdir(),
        *(corpus / "talking_head").glob("*.png"),
        *(corpus / "ocr/stills").glob("*.jpg"),
    ]
    original = folder / "bridge-mods/aaa-orig.jpg"
    assert [compare_pictures(original, edit)["match"] for edit in edits] == ["yes"] * 12
    rows = [compare_pictures(a, b) for a, b in combinations([original, *others], 2)]
    assert {row["match"] for row in rows} <= {"no", "unusable"}
    assert {row["why"] for row in rows if "why" in row} == {"empty_black.jpg is too plain to tell from other pictures"}


@pytest.mark.corpus
def test_real_re_encodes_are_the_same_sound_and_other_recordings_are_not(corpus: Path) -> None:
    rows = [line.split("\t") for line in (corpus / "audio/pairs.tsv").read_text().splitlines()[1:]]
    same = {frozenset(row[:2]) for row in rows}
    speech = {name for row in rows for name in row[:2] if name.startswith("talking_head")}
    same |= {frozenset(pair) for pair in combinations(speech, 2)}  # all are one recording
    names = sorted({n for pair in same for n in pair} | {f"audio/{p.name}" for p in (corpus / "audio").glob("*.[ow]*")})
    prints = {name: audio_print.print_of(corpus / name) for name in names}
    short = {name for name in names if prints[name].unusable}
    assert short == {n for n in names if "robin" in n}
    results = {
        frozenset(pair): audio_print.align(prints[pair[0]], prints[pair[1]])
        for pair in combinations(sorted(set(names) - short), 2)
    }
    assert {pair for pair, result in results.items() if result.match == "yes"} == same
    assert {result.match for pair, result in results.items() if pair not in same} == {"no"}
    for pair in same:
        assert results[pair].stretch is not None
        a_start, _, b_start, _ = results[pair].stretch or (0, 0, 1_000_000, 0)
        assert abs(a_start - b_start) < 50_000
