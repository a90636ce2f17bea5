"""A whole small episode: what lies in the folder, who signed it, what is seen and heard, what a second run keeps."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from generation import film, sound, stage
from generation.backend import BackendError, Production, named
from generation.pipeline import Episode, make_episode
from generation.script import ScriptError, read
from generation.storyboard import FPS, plan
from provenance import aigc
from provenance.asset import digest
from provenance.check import check
from provenance.keys import Keys, development
from provenance.label import Overlay, find_font
from provenance.media import essence, probe
from provenance.report import AiDisclosure, Seal

SMALL = """Title: 小
Series: 测试
Episode: 3

INT. 咖啡馆 CAFE - NIGHT

[[cast 林晓: woman, long hair, red coat]]

林晓走进来。

@林晓
你好,又见面了。 [[en: We meet again.]]

@陈默
我等你很久了。 [[en: I have waited long.]]
"""
BACKEND = named("procedural")


@dataclass(frozen=True)
class Studio:
    """A folder with scripts, and keys to sign with."""

    folder: Path
    keys: Keys

    def make(self, name: str, text: str, *, resume: bool = False, stop_at: str = "") -> Episode:
        script = self.folder / f"{name}.fountain"
        script.write_text(text, "utf-8")

        def tell(file: str, _done: int, _all: int) -> None:
            if stop_at and file == stop_at:
                raise KeyboardInterrupt

        return make_episode(
            script, self.folder / name, backend=BACKEND, identity=self.keys.identity("generator"),
            trust=self.keys.trust(), resume=resume, tell=tell,
        )  # fmt: skip


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("studio")
    return Studio(folder, development(folder / "home"))


@pytest.fixture(scope="module")
def small(studio: Studio) -> Episode:
    return studio.make("small", SMALL)


def frames(path: Path) -> list[NDArray[np.uint8]]:
    """Full-range luma of every frame."""
    with av.open(str(path)) as source:
        planes = [frame.to_ndarray(format="yuv420p")[:1280] for frame in source.decode(video=0)]
    return [np.clip((y.astype(np.int32) - 16) * 255 // 219, 0, 255).astype(np.uint8) for y in planes]


def test_everything_is_there_and_trusted_and_says_it_is_made_by_a_machine(studio: Studio, small: Episode) -> None:
    steps = [made.step for made in small.files]
    assert steps == [
        "script", "storyboard", "panels", "character/林晓", "character/陈默", "shot/1", "shot/2", "voice", "music",
        "episode",
    ]  # fmt: skip
    for made in small.files:
        report = check(made.asset.path, studio.keys.trust(), sidecar=made.sidecar)
        assert (made.step, report.seal, report.problems) == (made.step, Seal.TRUSTED, ())
        assert digest(made.asset.path) == made.asset.sha256
        if made.step == "script":
            assert (report.ai_disclosure, report.aigc) == (AiDisclosure.NONE, None)
        else:
            assert report.ai_disclosure is AiDisclosure.SIGNED
            assert report.aigc is not None
            assert (report.aigc.conforming, report.aigc.copies, report.aigc.agrees_with_seal) == (True, 1, True)


def test_the_episode_can_be_walked_back_to_the_script(studio: Studio, small: Episode) -> None:
    report = check(small.path, studio.keys.trust())
    titles = {(link.title or "").rsplit(": ")[-1]: link.relationship for link in report.chain}
    assert titles["script.fountain"] == "inputTo"
    assert titles["shots/001.mp4"] == "componentOf"
    assert titles["characters/01-林晓.png"] == "inputTo"
    assert report.chain[0].actions[0] == "c2pa.created"
    assert report.chain[0].digital_source_types[0].endswith("/algorithmicMedia")


def test_the_list_names_every_file_with_its_digest(small: Episode) -> None:
    document = json.loads((small.folder / "episode.json").read_text("utf-8"))
    assert document["complete"] is True
    assert document["length_us"] == small.length_us
    assert {f["path"]: f["sha256"] for f in document["files"]} == {
        made.asset.path.relative_to(small.folder).as_posix(): made.asset.sha256 for made in small.files
    }
    listed = {f["path"] for f in document["files"]} | {f["sidecar"] for f in document["files"]} - {None}
    lying = {p.relative_to(small.folder).as_posix() for p in small.folder.rglob("*") if p.is_file()}
    assert lying - listed == {"episode.json", "storyboard.json.aigc.json"}


def test_the_episode_is_a_vertical_film_with_sound_and_two_subtitle_tracks(small: Episode) -> None:
    info = probe(small.path)
    assert (info.width, info.height, info.fps, info.video_codec, info.audio_codec) == (720, 1280, 24.0, "h264", "aac")
    assert abs(info.duration_us - small.length_us) <= 1_000_000 // FPS
    with av.open(str(small.path)) as source:
        assert [s.metadata["language"] for s in source.streams.subtitles] == ["zho", "eng"]
        said = [bytes(p)[2:].decode() for p in source.demux(source.streams.subtitles[0]) if p.size > 2]
        assert said == ["你好,又见面了。", "我等你很久了。"]
        assert source.streams.audio[0].rate == 48_000
    with av.open(str(small.path)) as source:
        keys = [n for n, p in enumerate(p for p in source.demux(video=0) if p.size) if p.is_keyframe]
    assert all(b - a <= film.GROUP for a, b in zip(keys, [*keys[1:], small.length_us * FPS // 1_000_000], strict=True))


def test_the_label_is_high_enough_stands_long_enough_and_is_clear_of_the_subtitles(small: Episode) -> None:
    plate = Overlay("本内容由AI生成", find_font()).plate(720, 1280)
    assert plate.glyph_px >= 0.05 * 720
    top, bottom = plate.y, plate.y + plate.alpha.shape[0]
    light, _, _, y = film._subtitle(
        "一二三四五六七八九十一二三四五六", "A line as long as two lines of a telephone", find_font()
    )
    assert bottom < stage.TITLE_Y < y
    assert y + light.shape[0] <= film.SUBTITLE_BOTTOM
    ink = plate.luma > 200
    shown = [
        float(f[top:bottom, plate.x : plate.x + ink.shape[1]][ink].mean()) > 200 for f in frames(small.path)[: 5 * FPS]
    ]
    assert shown == [True] * film.LABEL_FRAMES + [False] * (len(shown) - film.LABEL_FRAMES)
    assert film.LABEL_FRAMES >= 3 * FPS


def test_no_label_where_the_script_says_so(studio: Studio, small: Episode) -> None:
    script = studio.folder / "bare.fountain"
    script.write_text(SMALL.replace("@陈默", "[[no label]]\n\n@陈默"), "utf-8")
    assert not read(script).label
    assert read(small.script.path).label


def test_words_are_heard_while_mouths_move_and_subtitles_stand(small: Episode) -> None:
    board = plan(small.script)
    voice = sound.read_wav(small.folder / "audio/voice.wav")
    speaking = np.zeros(board.frames, bool)
    for shot in board.shots:
        for said in shot.speeches:
            start = shot.start_frame + said.start_frame
            speaking[start : start + said.frames] = True
    per_frame = voice[: board.frames * 2000].reshape(board.frames, 2000)
    loud = np.sqrt((per_frame**2).mean(axis=1))
    assert loud[~speaking].max() < 0.005  # the tail of the last syllable at most
    assert loud[speaking].mean() > 0.02
    with av.open(str(small.path)) as source:
        mixed = np.concatenate([f.to_ndarray().mean(axis=0) for f in source.decode(audio=0)])
    assert abs(len(mixed) / 48_000 - small.length_us / 1e6) < 0.05
    heard = np.correlate(np.abs(mixed[::480]) - np.abs(mixed[::480]).mean(), np.abs(voice[::480]), "full")
    late = int(heard.argmax()) - (len(voice[::480]) - 1)
    assert abs(late) <= 4  # in hundredths of a second: within a frame


def test_a_second_run_keeps_everything_and_an_unasked_one_nothing(studio: Studio, small: Episode) -> None:
    again = studio.make("small", SMALL, resume=True)
    assert all(made.reused for made in again.files)
    assert [m.asset.sha256 for m in again.files] == [m.asset.sha256 for m in small.files]


def test_a_run_that_was_stopped_goes_on_where_it_stopped(studio: Studio, small: Episode) -> None:
    with pytest.raises(KeyboardInterrupt):
        studio.make("stopped", SMALL, stop_at="audio/voice.wav")
    folder = studio.folder / "stopped"
    half = json.loads((folder / "episode.json").read_text("utf-8"))
    assert (half["complete"], half["files"][-1]["step"]) == (False, "shot/2")
    assert not list(folder.glob(".drafts-*"))
    done = studio.make("stopped", SMALL, resume=True)
    assert [m.step for m in done.files if not m.reused] == ["voice", "music", "episode"]
    assert essence(done.path) == essence(small.path)  # the same script gives the same film


def test_what_was_tampered_with_is_made_anew_with_all_that_rests_on_it(studio: Studio, small: Episode) -> None:
    folder = studio.folder / "tampered"
    shutil.copytree(small.folder, folder)
    with (folder / "audio/music.wav").open("ab") as file:
        file.write(b"\0\0")
    done = studio.make("tampered", SMALL, resume=True)
    assert [m.step for m in done.files if not m.reused] == ["music", "episode"]
    with (folder / "episode.json").open("w") as file:
        file.write("{")
    (folder / ".drafts-left").mkdir()
    with pytest.raises(KeyboardInterrupt):
        studio.make("tampered", SMALL, resume=True, stop_at="storyboard.json")
    assert not (folder / ".drafts-left").exists()


def test_inserted_films_and_pictures_are_shown_and_named_as_parts(studio: Studio, small: Episode) -> None:
    shutil.copyfile(small.path, studio.folder / "other.mp4")
    Image.fromarray(np.full((300, 200, 3), (250, 10, 10), np.uint8)).save(studio.folder / "face.png")
    episode = studio.make(
        "inserts",
        "INT. 家 HOME - DAY\n\n[[insert video: other.mp4 from 1s to 2s]]\n\n"
        "[[insert picture: face.png on full for 1s]]\n\n[[calibration card]]\n",
    )
    shown, source = frames(episode.path), frames(small.path)
    after = film.LABEL_FRAMES
    assert len(shown) == 4 * FPS
    copied = np.abs(shown[12][400:].astype(int) - source[36][400:]).mean()
    assert copied < 2.5
    red = np.array(frames(episode.folder / "shots/002.mp4")[5][200:]).astype(float)
    assert abs(red.mean() - (0.2126 * 250 + 0.0722 * 10 + 0.7152 * 10)) < 4
    card = stage.calibration_card()[:, :, 0].astype(int)
    assert np.abs(shown[after + 2].astype(int) - card).mean() < 6
    shot = check(episode.folder / "shots/001.mp4", studio.keys.trust())
    assert [link.relationship for link in shot.chain if (link.title or "").endswith("3: episode.mp4")] == [
        "componentOf"
    ]
    assert shot.chain[0].digital_source_types == ("http://cv.iptc.org/newscodes/digitalsourcetype/composite",)
    assert aigc.read(episode.folder / "shots/001.mp4") == ()


def test_the_card_is_the_one_the_gate_stops() -> None:
    from classifiers.detectors.calibration_card import draw_card

    assert (stage.calibration_card() == draw_card(720, 1280)).all()


@pytest.mark.parametrize(
    ("insert", "sentence"),
    [
        ("video: small.fountain from 1s to 2s", None),
        ("video: small/episode.mp4 from 1s to 50s", "episode.mp4: lasts"),
        ("video: small/storyboard.png from 1s to 2s", "storyboard.png: is no film"),
        ("picture: small/episode.mp4", "episode.mp4: is no picture"),
    ],
)
def test_inserts_are_looked_at_before_anything_is_drawn(
    studio: Studio, small: Episode, insert: str, sentence: str | None
) -> None:
    assert small.path.exists()
    with pytest.raises(Exception, match=sentence or "small.fountain") as refused:
        studio.make("refused", f"INT. A - DAY\n\n[[insert {insert}]]\n")
    assert type(refused.value).__name__ in ("ScriptError", "Unusable")
    assert not (studio.folder / "refused").exists()


def test_an_endless_script_is_refused(studio: Studio) -> None:
    line = "@林晓\n" + "很长的台词" * 200 + "\n\n"
    with pytest.raises(ScriptError, match="600 s is the limit; split it"):
        studio.make("endless", "INT. A - DAY\n\n" + line * 4)


def test_shots_and_sounds_come_out_the_same_bit_for_bit(studio: Studio, small: Episode) -> None:
    production = Production(small.script, plan(small.script), find_font())
    one, two = studio.folder / "one.wav", studio.folder / "two.wav"
    for path in (one, two):
        BACKEND.score(production, path)
    assert digest(one) == digest(two)
    sheets = [studio.folder / f"{n}.png" for n in (1, 2)]
    for path in sheets:
        BACKEND.portray(production, "陈默", path)
    assert digest(sheets[0]) == digest(sheets[1])


def test_an_unknown_generator_is_refused_with_the_nearest_spelling() -> None:
    with pytest.raises(BackendError, match="did you mean 'procedural'"):
        named("procedual")
    assert named("procedural") is BACKEND
