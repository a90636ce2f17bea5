"""Changing coded media: which frames are left, which were copied, and whether sound stays with its picture."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance import edit, h264
from provenance.asset import TimeRange, digest
from provenance.edit import CannotWrite, NothingLeft, Picture, Touch, change
from provenance.media import Unusable, probe
from tests.provenance import made_films
from tests.provenance.made_films import FORBIDDEN_HZ, beep_times, film, frames, heard, loudness_at, numbers, sound_only

SECOND = 1_000_000


def us(start_s: float, end_s: float) -> TimeRange:
    return TimeRange(round(start_s * SECOND), round(end_s * SECOND))


def gone(count: int, *stretches: tuple[int, int]) -> list[int]:
    return [n for n in range(count) if not any(a <= n < b for a, b in stretches)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds, closed groups of 50 frames with B-frames, mono AAC, a forbidden tone from 2.3 s to 3.7 s."""
    return film(tmp_path_factory.mktemp("films") / "plain.mp4", forbidden=(2.3, 3.7))


def in_step(path: Path, within_s: float, every: int = 25) -> None:
    """Every flash (on frames whose number is a multiple of `every`) is seen when a beep is heard."""
    seen = [at for at, luma in frames(path) if made_films.number_of(luma) % every == 0]
    sounds = beep_times(path)
    paired = [min(sounds, key=lambda s, at=at: abs(s - at)) - at for at in seen]  # type: ignore[misc]
    assert paired
    assert max(map(abs, paired)) < within_s


# --- cuts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        (us(2.3, 3.7), gone(150, (57, 93))),
        (us(2.32, 3.68), gone(150, (58, 92))),
        (us(0, 1), gone(150, (0, 25))),
        (us(5, 6), gone(150, (125, 150))),
        (us(5.5, 60), gone(150, (137, 150))),
        (us(2, 4), gone(150, (50, 100))),
        (us(3.0, 3.000001), gone(150, (75, 76))),
        (us(3.039999, 3.040001), gone(150, (75, 77))),
    ],
)
def test_a_cut_takes_every_frame_shown_in_it_and_no_other(
    plain: Path, tmp_path: Path, cut: TimeRange, left: list[int]
) -> None:
    done = change(plain, tmp_path / "cut.mp4", cuts=[cut])
    assert numbers(tmp_path / "cut.mp4") == left
    assert done.frames_removed == 150 - len(left)
    assert done.frames_copied + done.frames_encoded == len(left)
    assert done.whole is None
    assert done.duration_us == len(left) * 40_000


def test_frames_away_from_a_cut_are_the_same_coded_pictures(plain: Path, tmp_path: Path) -> None:
    done = change(plain, tmp_path / "cut.mp4", cuts=[us(2.3, 3.7)])
    before, after = frames(plain), frames(tmp_path / "cut.mp4")
    same = [bool(np.array_equal(before[made_films.number_of(luma)][1], luma)) for _, luma in after]
    assert sum(same) >= done.frames_copied
    assert done.frames_encoded <= 12
    worst = max(float(np.mean((before[made_films.number_of(luma)][1].astype(float) - luma) ** 2)) for _, luma in after)
    assert worst < 6


def test_shown_times_close_up_behind_a_cut(plain: Path, tmp_path: Path) -> None:
    change(plain, tmp_path / "cut.mp4", cuts=[us(0.5, 1.1), us(2.3, 3.7)])
    times = [at for at, _ in frames(tmp_path / "cut.mp4")]
    assert np.allclose(np.diff(times), 0.04, atol=1e-4)


def test_kept_is_said_in_the_time_of_the_film_as_it_was(plain: Path, tmp_path: Path) -> None:
    done = change(plain, tmp_path / "cut.mp4", cuts=[us(2.3, 3.7)])
    assert done.kept == (us(0, 2.28), us(3.72, 6))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 149), st.integers(1, 40)), min_size=1, max_size=3),
    st.integers(-3_000, 3_000),
)
def test_any_cuts_leave_exactly_the_frames_they_do_not_touch(
    plain: Path, tmp_path: Path, stretches: list[tuple[int, int]], nudge_us: int
) -> None:
    cuts = [TimeRange(max(0, a * 40_000 + nudge_us), (a + n) * 40_000 + nudge_us) for a, n in stretches]
    left = [n for n in range(150) if not any(c.start_us < (n + 1) * 40_000 and n * 40_000 < c.end_us for c in cuts)]
    if not left:
        with pytest.raises(NothingLeft):
            change(plain, tmp_path / "cut.mp4", cuts=cuts)
        return
    change(plain, tmp_path / "cut.mp4", cuts=cuts)
    assert numbers(tmp_path / "cut.mp4") == left
    _, pcm, rate = heard(tmp_path / "cut.mp4")
    assert abs(len(pcm) / rate - len(left) * 0.04) < 0.06


def test_cutting_everything_is_refused_in_a_sentence(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingLeft, match=r"plain\.mp4: the cuts take all 150 frames"):
        change(plain, tmp_path / "cut.mp4", cuts=[us(0, 4), us(3, 9)])
    assert list(tmp_path.iterdir()) == []


def test_all_but_one_frame_may_be_cut(plain: Path, tmp_path: Path) -> None:
    change(plain, tmp_path / "cut.mp4", cuts=[us(0, 3), us(3.04, 6)])
    assert numbers(tmp_path / "cut.mp4") == [75]


# --- every kind of film ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("no b-frames", {"b_frames": 0}, None),
        ("one group", {"gop": 1000}, None),
        ("every frame a key frame", {"gop": 1}, None),
        ("pyramid", {"b_frames": 5, "x264": "b-pyramid=normal:bframes=5:b-adapt=0"}, None),
        ("full range", {"pix_fmt": "yuvj420p"}, None),
        ("silent", {"sound": None}, None),
        ("odd time base", {"fps": 30, "time_base": Fraction(1, 90000)}, None),
        ("open groups", {"x264": "open-gop=1:keyint=25:bframes=3:b-adapt=0"}, None),
        ("ten bits", {"pix_fmt": "yuv420p10le"}, "8-bit"),
        ("4:4:4", {"pix_fmt": "yuv444p"}, "8-bit"),
        ("hevc", {"codec": "libx265"}, "hevc"),
        ("mpeg4", {"codec": "mpeg4"}, "mpeg4"),
    ],
)
def test_every_kind_of_film_is_cut_to_the_frame(
    tmp_path: Path, name: str, options: dict[str, Any], why: str | None
) -> None:
    fps = options.get("fps", 25)
    source = film(tmp_path / "source.mp4", seconds=4, **options)
    done = change(source, tmp_path / "cut.mp4", cuts=[us(1.22, 2.9)])
    left = [n for n in range(4 * fps) if not (n / fps < 2.9 and (n + 1) / fps > 1.22)]
    assert numbers(tmp_path / "cut.mp4") == left
    if why is None:
        assert done.whole is None
    else:
        assert done.whole is not None
        assert any(word in done.whole for word in why.split("|"))
    if options.get("sound", "aac"):
        in_step(tmp_path / "cut.mp4", 0.05, every=fps)


def test_a_film_without_independent_pictures_is_encoded_whole(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edit, "LONGEST_GROUP", 49)
    done = change(plain, tmp_path / "cut.mp4", cuts=[us(2.3, 3.7)])
    assert done.whole == "more than 49 pictures follow one another without an independent one"
    assert numbers(tmp_path / "cut.mp4") == gone(150, (57, 93))


def test_a_film_of_uneven_frames_keeps_each_frames_time(tmp_path: Path) -> None:
    steps = [20, 60, 40, 40, 100, 20] * 16
    times = np.concatenate(([0], np.cumsum(steps)))[:96].tolist()
    source = film(tmp_path / "source.mp4", times=times, time_base=Fraction(1, 1000), gop=24, sound=None)
    before = [at for at, _ in frames(source)]
    change(source, tmp_path / "cut.mp4", cuts=[us(1.0, 2.03)])
    left = [n for n in range(96) if not (times[n] < 2030 and (times[n + 1] if n < 95 else 1e9) > 1000)]
    after = frames(tmp_path / "cut.mp4")
    assert [made_films.number_of(luma) for _, luma in after] == left
    lasted = {n: before[n + 1] - before[n] for n in range(95)}
    for (at, luma), (following, _) in pairwise(after):
        assert following - at == pytest.approx(lasted[made_films.number_of(luma)], abs=0.0011)


def test_a_film_that_starts_late_is_cut_in_its_own_time(tmp_path: Path) -> None:
    times = [i * 512 + 25_600 for i in range(100)]
    source = film(tmp_path / "source.mp4", times=times, sound=None)
    change(source, tmp_path / "cut.mp4", cuts=[us(1, 2)])
    assert numbers(tmp_path / "cut.mp4") == gone(100, (25, 50))


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_turned_film_is_painted_upright_and_stays_upright(tmp_path: Path, rotation: int, codec: str) -> None:
    source = film(tmp_path / "source.mp4", seconds=2, sound=None, rotation=rotation, codec=codec)
    assert probe(source).rotation == rotation

    def corner(picture: Picture) -> None:
        picture.y[: picture.height // 4, : picture.width // 4] = 235

    change(source, tmp_path / "out.mp4", touches=[Touch(us(0, 1), corner)])
    before, after = frames(source), frames(tmp_path / "out.mp4")
    assert after[3][1].shape == before[3][1].shape
    high, wide = after[3][1].shape
    assert after[3][1][: high // 4 - 4, : wide // 4 - 4].mean() > 225
    assert abs(after[3][1][high // 2 :].astype(int) - before[3][1][high // 2 :]).mean() < 4
    assert abs(after[40][1].astype(int) - before[40][1]).mean() < 4


# --- sound ----------------------------------------------------------------------------------


def test_no_sound_of_a_cut_is_left_and_the_rest_stays_with_its_picture(plain: Path, tmp_path: Path) -> None:
    done = change(plain, tmp_path / "cut.mp4", cuts=[us(2.28, 3.72)])
    _, pcm, rate = heard(tmp_path / "cut.mp4")
    assert loudness_at(heard(plain)[1], rate, FORBIDDEN_HZ) > 0.4
    assert loudness_at(pcm, rate, FORBIDDEN_HZ) < 0.01
    in_step(tmp_path / "cut.mp4", 0.012)
    (track,) = done.sound
    assert track.packets_copied > 150
    assert track.packets_encoded < 60
    assert track.off_us <= 10_667


def test_many_cuts_do_not_add_up_to_a_drift(tmp_path: Path) -> None:
    source = film(tmp_path / "source.mp4", seconds=16, gop=25)
    cuts = [us(i + 0.2, i + 0.2 + 0.04 * (3 + i % 5)) for i in range(15)]
    done = change(source, tmp_path / "cut.mp4", cuts=cuts)
    in_step(tmp_path / "cut.mp4", 0.012)
    assert done.sound[0].off_us <= 10_667


def test_sound_away_from_a_cut_is_the_same_coded_sound(plain: Path, tmp_path: Path) -> None:
    change(plain, tmp_path / "cut.mp4", cuts=[us(2.3, 3.7)])
    before, after = heard(plain)[1], heard(tmp_path / "cut.mp4")[1]
    assert np.array_equal(before[:90_000], after[:90_000])
    assert np.array_equal(before[-48_000:-2_048], after[-48_000:-2_048]) or any(
        np.array_equal(before[-48_000 - shift : -4_096 - shift], after[-48_000:-4_096]) for shift in range(-1024, 1025)
    )


def test_joins_do_not_click(tmp_path: Path) -> None:
    source = film(tmp_path / "source.mp4", seconds=4)
    change(source, tmp_path / "cut.mp4", cuts=[us(1.5, 2.5)])
    _, pcm, rate = heard(tmp_path / "cut.mp4")
    quiet = pcm[int(1.1 * rate) : int(1.95 * rate)]
    assert np.abs(np.diff(quiet)).max() < 0.01


def test_a_mute_silences_its_range_and_copies_every_picture(plain: Path, tmp_path: Path) -> None:
    done = change(plain, tmp_path / "mute.mp4", mutes=[us(2.3, 3.7)])
    start, pcm, rate = heard(tmp_path / "mute.mp4")
    inside = pcm[int((2.3 - start) * rate) : int((3.7 - start) * rate)]
    assert np.abs(inside).max() < 0.003
    assert loudness_at(pcm, rate, FORBIDDEN_HZ) < 0.02
    assert done.frames_copied == 150
    assert done.frames_encoded == 0
    assert beep_times(tmp_path / "mute.mp4") == pytest.approx([0, 1, 2, 4, 5], abs=0.005)


@pytest.mark.parametrize(
    ("codec", "rate"), [("libmp3lame", 44100), ("libopus", 48000), ("flac", 48000), ("aac", 44100)]
)
def test_other_sound_is_cut_with_its_picture_too(tmp_path: Path, codec: str, rate: int) -> None:
    source = film(tmp_path / "source.mp4", sound=codec, rate=rate, seconds=4, forbidden=(1.5, 2.4))
    change(source, tmp_path / "cut.mp4", cuts=[us(1.48, 2.44)], mutes=[us(3.2, 3.6)])
    in_step(tmp_path / "cut.mp4", 0.012 if codec == "aac" else 0.004)
    _, pcm, rate = heard(tmp_path / "cut.mp4")
    assert loudness_at(pcm, rate, FORBIDDEN_HZ) < 0.02


def test_untouched_sound_is_copied_packet_for_packet(plain: Path, tmp_path: Path) -> None:
    change(plain, tmp_path / "out.mp4", touches=[Touch(us(1, 2), lambda picture: None)])

    def coded(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(audio=0) if p.size]

    assert coded(tmp_path / "out.mp4") == coded(plain)


@pytest.mark.parametrize("name", ["voice.m4a", "voice.mp3", "voice.wav", "voice.flac"])
def test_sound_without_pictures_is_cut_and_muted(tmp_path: Path, name: str) -> None:
    codec = {"m4a": "aac", "mp3": "libmp3lame", "wav": "pcm_s16le", "flac": "flac"}[name[-3:].replace("lac", "flac")]
    source = sound_only(tmp_path / name, codec=codec)
    done = change(source, tmp_path / "out.m4a", cuts=[us(1.5, 2.5)], mutes=[us(3.9, 4.2)])
    assert done.duration_us == pytest.approx(5 * SECOND, abs=60_000)
    assert beep_times(tmp_path / "out.m4a") == pytest.approx([0, 1, 2, 4], abs=0.06 if name.endswith("mp3") else 0.013)


def test_cutting_all_of_a_recording_is_refused(tmp_path: Path) -> None:
    source = sound_only(tmp_path / "voice.m4a", seconds=2)
    with pytest.raises(NothingLeft, match=r"voice\.m4a"):
        change(source, tmp_path / "out.m4a", cuts=[us(0, 5)])


# --- subtitles ------------------------------------------------------------------------------


def shown_cues(path: Path) -> list[tuple[float, float, str]]:
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux(subtitles=0):
            if packet.size > 2:
                start = float(packet.pts * packet.time_base)
                found.append((start, start + float(packet.duration * packet.time_base), bytes(packet)[2:].decode()))
    return found


@pytest.mark.parametrize("kind", ["mov_text", "subrip"])
def test_subtitles_move_with_their_pictures_and_go_with_a_cut(tmp_path: Path, kind: str) -> None:
    cues = [(0.2, 0.9, "first"), (1.1, 1.9, "cut away"), (1.95, 2.6, "half"), (3.0, 3.5, "last 末")]
    source = film(tmp_path / f"source.{'mp4' if kind == 'mov_text' else 'mkv'}", seconds=4, cues=cues, subtitles=kind)
    change(source, tmp_path / "cut.mp4", cuts=[us(1.0, 2.0)])
    left = shown_cues(tmp_path / "cut.mp4")
    assert [text for *_, text in left] == ["first", "half", "last 末"]
    assert [round(a, 2) for a, _, _ in left] == [0.2, 1.0, 2.0]
    assert [round(b, 2) for _, b, _ in left] == [0.9, 1.6, 2.5]


# --- painting -------------------------------------------------------------------------------


def test_paint_lies_on_its_range_and_nowhere_else(plain: Path, tmp_path: Path) -> None:
    def whiten(picture: Picture) -> None:
        picture.y[-40:] = 235

    done = change(plain, tmp_path / "out.mp4", touches=[Touch(us(2.3, 2.5), whiten)])
    before, after = frames(plain), frames(tmp_path / "out.mp4")
    white = [n for n in range(150) if after[n][1][-36:].mean() > 230 and n % 25]
    assert white == [57, 58, 59, 60, 61, 62]
    assert numbers(tmp_path / "out.mp4") == list(range(150))
    copied = [n for n in range(150) if np.array_equal(before[n][1], after[n][1])]
    assert len(copied) >= done.frames_copied
    assert set(range(50)) | set(range(100, 150)) <= set(copied)


def test_one_track_holds_both_encoders_pictures_with_the_sets_of_each(plain: Path, tmp_path: Path) -> None:
    change(plain, tmp_path / "out.mp4", cuts=[us(2.3, 3.7)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        sets = h264.ParameterSets.of_record(bytes(container.streams.video[0].codec_context.extradata))
        assert len(sets.sequence) == 2
        assert len(sets.picture) == 2
        in_band = 0
        for packet in container.demux(video=0):
            data, at = bytes(packet), 0
            while at + 4 < len(data):
                in_band += data[at + 4] & 31 in (7, 8)
                at += 4 + int.from_bytes(data[at : at + 4], "big")
    assert in_band == 0


# --- files ----------------------------------------------------------------------------------


def test_the_source_is_never_changed_and_nothing_half_stays(plain: Path, tmp_path: Path) -> None:
    before = digest(plain)
    (tmp_path / "out.mp4").write_text("an older file")

    def fail(picture: Picture) -> None:
        raise RuntimeError("paint ran out")

    with pytest.raises(RuntimeError):
        change(plain, tmp_path / "out.mp4", touches=[Touch(us(2, 3), fail)])
    assert (tmp_path / "out.mp4").read_text() == "an older file"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    with pytest.raises(CannotWrite, match="is the file to be changed"):
        change(plain, plain, cuts=[us(1, 2)])
    with pytest.raises(CannotWrite, match="name a folder that exists"):
        change(plain, tmp_path / "nowhere" / "out.mp4", cuts=[us(1, 2)])
    with pytest.raises(CannotWrite, match=r"name it like film\.mp4"):
        change(plain, tmp_path / "out.avi", cuts=[us(1, 2)])
    assert digest(plain) == before


def test_what_is_not_media_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a film at all, only words in a file with a wrong name")
    with pytest.raises(Unusable, match=r"text\.mp4"):
        change(tmp_path / "text.mp4", tmp_path / "out.mp4", cuts=[us(0, 1)])


def test_container_metadata_is_kept_and_added_to(tmp_path: Path) -> None:
    source = film(tmp_path / "source.mp4", seconds=2, metadata={"AIGC": '{"Label":"1"}', "title": "夜灯"})
    change(source, tmp_path / "out.mp4", cuts=[us(0.5, 1)], metadata={"comment": "cut"})
    with av.open(str(tmp_path / "out.mp4")) as container:
        kept = {k: container.metadata.get(k) for k in ("AIGC", "title", "comment")}
    assert kept == {"AIGC": '{"Label":"1"}', "title": "夜灯", "comment": "cut"}


def test_a_picture_encoded_wrong_is_noticed_before_it_is_handed_over(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = h264.length_prefixed

    def damaged(stream: bytes, length_size: int) -> bytes:
        sample = bytearray(real(stream, length_size))
        sample[20:200] = bytes(len(sample[20:200]))
        return bytes(sample)

    monkeypatch.setattr(h264, "length_prefixed", damaged)
    with pytest.raises(CannotWrite):
        change(plain, tmp_path / "out.mp4", cuts=[us(2.3, 3.7)])
    assert list(tmp_path.iterdir()) == []
