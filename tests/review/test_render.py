"""Rendering a segment verdict: what the verdict asks is done, to the frame, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from policies.verdict import Do, Edit, Words
from provenance.asset import TimeRange, digest, merge
from provenance.edit import CannotWrite, NothingLeft, Picture, Touch, change
from provenance.label import TEXT, Overlay, Place, find_font
from provenance.media import MediaInfo, Unusable, probe
from review import render as rendering
from review.render import CannotRender, render, suffix_for
from tests.provenance.made_films import beep_times, film, frames, heard, number_of, numbers, sound_only

RULE = "cn-labeling.start"
SIZE = (180, 320)


def us(start_s: float, end_s: float) -> TimeRange:
    return TimeRange(round(start_s * 1e6), round(end_s * 1e6))


def edit(do: Do, start_s: float, end_s: float, **more: object) -> Edit:
    return Edit(do, us(start_s, end_s), RULE, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "episode.mp4", seconds=6, size=SIZE, gop=25)


def labelled(path: Path, source: Path) -> list[int]:
    """Which frames of a rendered film differ from the submitted one where the default label lies."""
    plate = Overlay(TEXT["zh"], find_font()).plate(*SIZE)
    area = np.s_[plate.y : plate.y + plate.alpha.shape[0], plate.x : plate.x + plate.alpha.shape[1]]
    before = [luma for _, luma in frames(source)]
    after = [luma for _, luma in frames(path)]
    differ = [np.abs(luma[area].astype(int) - before[number_of(luma)][area]).mean() for luma in after]
    return [n for n, much in enumerate(differ) if much > 10]


def test_every_edit_of_a_verdict_is_done_at_once(source: Path, tmp_path: Path) -> None:
    edits = [
        edit(Do.OVERLAY_LABEL, 0, 2),
        edit(Do.CUT, 2.4, 3.2),
        edit(Do.CUT, 3.0, 3.6),
        edit(Do.MUTE, 4.9, 5.2),
        edit(Do.BLUR, 4.0, 4.4, region=(0.5, 0.5, 0.25, 0.25)),
        edit(Do.REWRITE_METADATA, 0, 6),
    ]
    done = render(source, tmp_path / "out.mp4", edits)
    assert numbers(tmp_path / "out.mp4") == [*range(60), *range(90, 150)]
    assert labelled(tmp_path / "out.mp4", source) == list(range(50))
    assert beep_times(tmp_path / "out.mp4") == pytest.approx([0, 1, 2, 2.8], abs=0.012)
    assert done.kept == (us(0, 2.4), us(3.6, 6))
    assert done.metadata_due
    assert done.whole is None
    assert done.frames_copied >= 30


def test_the_submitted_file_is_not_changed(source: Path, tmp_path: Path) -> None:
    before = digest(source)
    render(source, tmp_path / "out.mp4", [edit(Do.CUT, 1, 2)])
    assert digest(source) == before
    with pytest.raises(CannotWrite):
        render(source, source, [edit(Do.CUT, 1, 2)])


def test_without_edits_everything_is_copied(source: Path, tmp_path: Path) -> None:
    done = render(source, tmp_path / "out.mp4", [edit(Do.REWRITE_METADATA, 0, 6)])
    assert (done.frames_copied, done.frames_encoded, done.frames_removed) == (150, 0, 0)
    assert done.metadata_due
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(frames(source), frames(tmp_path / "out.mp4"), strict=True))


# --- labels and cards -----------------------------------------------------------------------


def test_a_label_stays_as_long_as_asked_though_a_cut_takes_part_of_its_time(source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "out.mp4", [edit(Do.OVERLAY_LABEL, 0, 2), edit(Do.CUT, 0, 1)])
    assert labelled(tmp_path / "out.mp4", source) == list(range(50))


def test_a_label_whose_whole_time_is_cut_moves_behind_the_cut(source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "out.mp4", [edit(Do.OVERLAY_LABEL, 0, 2), edit(Do.CUT, 0, 3)])
    assert labelled(tmp_path / "out.mp4", source) == list(range(50))


seconds = st.integers(0, 20)
stretches = st.tuples(seconds, seconds).filter(lambda r: r[0] < r[1]).map(lambda r: us(*r))


@given(stretches, st.lists(stretches, max_size=4))
def test_a_stretched_overlay_is_shown_as_long_as_asked_or_to_the_end(where: TimeRange, cuts: list[TimeRange]) -> None:
    gone = merge(cuts)

    def left(start: int, end: int) -> int:
        return (end - start) - sum(max(0, min(end, c.end_us) - max(start, c.start_us)) for c in gone)

    found = rendering._on_screen(where, gone, 20_000_000)
    behind = left(where.start_us, 20_000_000)
    assert (0 if found is None else left(found.start_us, found.end_us)) == min(where.length_us, behind)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_card_shows_title_and_number_beside_the_label(source: Path, tmp_path: Path, language: str) -> None:
    words = Words("长夜灯火 第12集\n节目编号 V123", "Night Lights 12\nNo. V123")
    edits = [edit(Do.INSERT_CARD, 0, 1, text=words), edit(Do.OVERLAY_LABEL, 0, 1)]
    render(source, tmp_path / "out.mp4", edits, language=language)
    plate = Overlay(words.to_json()[language], find_font(), Place.CARD).plate(*SIZE)
    ink = (plate.luma > 250) & (plate.alpha == 255)
    rows = np.s_[plate.y : plate.y + plate.alpha.shape[0]]
    bright = [luma[rows][ink].mean() for _, luma in frames(tmp_path / "out.mp4")]
    assert min(bright[:25]) > 180
    assert max(b for n, b in enumerate(bright[25:], 25) if n % 25) < 180
    assert numbers(tmp_path / "out.mp4") == list(range(150))


def test_a_card_without_words_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotRender, match="without saying what it shows"):
        render(source, tmp_path / "out.mp4", [edit(Do.INSERT_CARD, 0, 1)])


# --- blur -----------------------------------------------------------------------------------


def test_blur_changes_its_region_and_time_only(source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "out.mp4", [edit(Do.BLUR, 2.0, 3.0, region=(0.25, 0.5, 0.5, 0.25))])
    before, after = frames(source), frames(tmp_path / "out.mp4")
    for n in (55, 70):
        inside = np.s_[168:232, 50:130]
        assert np.std(np.diff(after[n][1][inside].astype(int))) < 0.2 * np.std(
            np.diff(before[n][1][inside].astype(int))
        )
        assert abs(after[n][1][:150].astype(int) - before[n][1][:150]).mean() < 3
    for n in (30, 49, 75, 100):
        assert abs(after[n][1].astype(int) - before[n][1]).mean() < 3


def written(words: str, height: int) -> Picture:
    image = Image.new("L", (720, 1280), 90)
    draw = ImageDraw.Draw(image)
    face = ImageFont.truetype(str(find_font()), height)
    draw.text((60, 600), words, fill=235, font=face, stroke_width=2, stroke_fill=16)
    half = np.full((640, 360), 128, np.uint8)
    return Picture(np.asarray(image).copy(), half.copy(), half.copy(), False)


@pytest.mark.parametrize("height", [40, 72, 150])
@pytest.mark.parametrize("region", [None, (0.05, 0.45, 0.9, 0.15)])
def test_blurred_words_are_alike_whatever_they_said(height: int, region: tuple[float, ...] | None) -> None:
    """Nothing can be read where two words of the same length blur to the same picture, within the noise of coding."""
    one, other = written("谁杀了他", height), written("明天再见", height)
    clear = np.abs(one.y.astype(int) - other.y).max()
    blur = rendering._Blur(region)  # type: ignore[arg-type]
    blur(one)
    blur(other)
    assert clear > 200
    assert np.abs(one.y.astype(int) - other.y).max() < 0.22 * clear
    fine = one.y[590:780, 40:680].astype(int)
    assert np.abs(np.diff(fine, axis=1)).max() <= 12


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["cogvideo_1.mp4", "cogvideo_4.mp4"])
def test_real_ai_clips_are_cut_labelled_and_still_decode(corpus: Path, tmp_path: Path, name: str) -> None:
    source = corpus / "ai_clips" / name
    length = probe(source).duration_us
    edits = [edit(Do.OVERLAY_LABEL, 0, 2), Edit(Do.CUT, TimeRange(length // 2, length // 2 + 1_000_000), RULE)]
    done = render(source, tmp_path / "out.mp4", edits)
    shown = frames(tmp_path / "out.mp4")
    assert len(shown) == done.frames_copied + done.frames_encoded
    assert abs(done.duration_us - (length - 1_000_000)) <= 2 * 1_000_000 / probe(source).fps + 1


@pytest.mark.corpus
def test_a_real_talking_head_keeps_its_voice_in_step(corpus: Path, tmp_path: Path) -> None:
    """The sound behind a cut is found again where the picture was moved to."""
    source = corpus / "talking_head" / "art_2_RD_Radio31.mp4"
    done = render(source, tmp_path / "out.mp4", [edit(Do.CUT, 1.0, 2.0)])
    removed_s = (done.kept[1].start_us - done.kept[0].end_us) / 1e6
    (start0, before, rate), (start1, after, _) = heard(source), heard(tmp_path / "out.mp4")
    piece = after[round((2.0 - start1) * rate) :][:rate]
    due = round((2.0 + removed_s - start0) * rate)
    shifts = range(-1200, 1201, 4)
    best = max(shifts, key=lambda s: float(np.dot(piece, before[due + s : due + s + len(piece)])))
    assert abs(best) / rate < 0.035


# --- every kind of work ---------------------------------------------------------------------


def test_sound_without_pictures_is_cut_and_muted_but_not_painted(tmp_path: Path) -> None:
    source = sound_only(tmp_path / "voice.m4a")
    render(source, tmp_path / "out.m4a", [edit(Do.CUT, 1.5, 2.5), edit(Do.MUTE, 3.9, 4.2)])
    assert beep_times(tmp_path / "out.m4a") == pytest.approx([0, 1, 2, 4], abs=0.013)
    with pytest.raises(CannotRender, match=r"voice\.m4a has no picture"):
        render(source, tmp_path / "out.m4a", [edit(Do.OVERLAY_LABEL, 0, 2)])


def test_a_silent_film_cannot_be_muted(tmp_path: Path) -> None:
    source = film(tmp_path / "silent.mp4", seconds=2, sound=None)
    with pytest.raises(CannotRender, match=r"silent\.mp4 has no sound"):
        render(source, tmp_path / "out.mp4", [edit(Do.MUTE, 0, 1)])


def test_a_picture_is_labelled_and_never_cut(tmp_path: Path) -> None:
    Image.new("RGB", (600, 800), (40, 120, 200)).save(tmp_path / "cover.png")
    one = TimeRange(0, 1)
    done = render(tmp_path / "cover.png", tmp_path / "out.png", [Edit(Do.OVERLAY_LABEL, one, RULE)])
    assert (done.duration_us, done.frames_encoded) == (1, 1)
    with Image.open(tmp_path / "out.png") as out:
        assert np.asarray(out).max() > 240
    with pytest.raises(NothingLeft, match=r"cover\.png is a picture"):
        render(tmp_path / "cover.png", tmp_path / "out.png", [Edit(Do.CUT, one, RULE)])


def test_edits_of_another_file_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotRender, match=r"to cut episode\.mp4 at 70\.000 s, but it ends at 6\.0"):
        render(source, tmp_path / "out.mp4", [edit(Do.CUT, 70, 71)])


def test_cutting_everything_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingLeft, match="refuse the film instead"):
        render(source, tmp_path / "out.mp4", [edit(Do.CUT, 0, 3), edit(Do.CUT, 2, 7)])
    assert list(tmp_path.iterdir()) == []


def test_a_broken_film_is_refused_in_a_sentence(source: Path, tmp_path: Path) -> None:
    (tmp_path / "short.mp4").write_bytes(source.read_bytes()[:4000])
    with pytest.raises(Unusable, match=r"short\.mp4"):
        render(tmp_path / "short.mp4", tmp_path / "out.mp4", [edit(Do.CUT, 0, 1)])


@pytest.mark.parametrize(
    ("name", "wanted"), [("a.mp4", ".mp4"), ("a.mkv", ".mp4"), ("a.mov", ".mov"), ("a.m4a", ".m4a"), ("a.wav", ".m4a")]
)
def test_what_is_rendered_has_a_suffix_that_says_what_it_is(tmp_path: Path, name: str, wanted: str) -> None:
    path = tmp_path / name
    if name.endswith(("m4a", "wav")):
        sound_only(path, seconds=1, codec="aac" if name.endswith("m4a") else "pcm_s16le")
    else:
        film(path, seconds=1)
    assert suffix_for(path) == wanted
    render(path, tmp_path / f"out{wanted}", [edit(Do.CUT, 0.2, 0.4)])
    assert isinstance(probe(tmp_path / f"out{wanted}"), MediaInfo)


def test_frames_say_their_numbers_after_rendering_twice(source: Path, tmp_path: Path) -> None:
    """A rendered film can be rendered again: its own two encoders' sets leave a number for a third."""
    render(source, tmp_path / "once.mp4", [edit(Do.CUT, 1.3, 1.7)])
    done = render(tmp_path / "once.mp4", tmp_path / "twice.mp4", [edit(Do.CUT, 3.3, 3.7)])
    once = numbers(tmp_path / "once.mp4")
    assert numbers(tmp_path / "twice.mp4") == once[:82] + once[93:]
    assert done.whole is None
    change(tmp_path / "twice.mp4", tmp_path / "thrice.mp4", touches=[Touch(us(0, 0.1), lambda picture: None)])
    assert [number_of(luma) for _, luma in frames(tmp_path / "thrice.mp4")] == numbers(tmp_path / "twice.mp4")
