"""Words that come with a work: every container, every encoding, and refusals that say what to do."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.classifier import Context, Line
from classifiers.detectors import text as text_detector
from classifiers.finding import Surface
from classifiers.lines import decoded, read_lines
from classifiers.weights import WeightStore
from provenance import media
from provenance.asset import AssetKind, TimeRange
from provenance.media import Unusable
from provenance.registry import Registry
from tests.classifiers.drawn_films import film_of
from tests.provenance import made_films

CHINESE = "他终于回来了。我等了你整整三年，你知道这三年我是怎么过的吗？\n这份合同你必须签，没有别的办法。\n"
TRADITIONAL = "他終於回來了。我等了你整整三年，你知道這三年我是怎麼過的嗎？\n這份合同你必須簽，沒有別的辦法。\n"


def script(tmp_path: Path, content: str | bytes, name: str = "script.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def texts(path: Path) -> list[str]:
    return [line.text for line in read_lines(path, AssetKind.SCRIPT, None)]


def test_papers_bring_titles_synopsis_and_tags(tmp_path: Path) -> None:
    papers = {
        "series": {
            "title": "总裁归来",
            "alt_titles": ["The Boss"],
            "synopsis": "他回来了",
            "genres": ["都市"],
            "id": "s1",
        },
        "episode": {"title": "第一集", "number": 1},
    }
    lines = read_lines(script(tmp_path, "嗯"), AssetKind.SCRIPT, papers)
    assert [(li.surface, li.text, li.source) for li in lines] == [
        ("metadata", "总裁归来", "papers:series.title"),
        ("metadata", "The Boss", "papers:series.alt_titles[0]"),
        ("metadata", "他回来了", "papers:series.synopsis"),
        ("metadata", "都市", "papers:series.genres[0]"),
        ("metadata", "第一集", "papers:episode.title"),
        ("script", "嗯", "script:1"),
    ]


ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def with_track(path: Path, codec: str, cues: list[tuple[int, int, str]]) -> Path:
    """A short film with one subtitle track; times in milliseconds."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        track = out.add_stream(codec)
        track.codec_context.subtitle_header = ASS_HEADER
        for n in range(40):
            frame = av.VideoFrame(64, 64, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts, frame.time_base = n, Fraction(1, 10)
            out.mux(video.encode(frame))
        out.mux(video.encode())
        for start, end, text in cues:
            raw = text.encode()
            packet = av.Packet(len(raw).to_bytes(2, "big") + raw if codec == "mov_text" else raw)
            packet.stream, packet.time_base = track, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = end - start
            out.mux(packet)
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mov_text"), ("a.mkv", "subrip"), ("a.webm.mkv", "webvtt")])
def test_subtitle_tracks_are_read_with_their_times(tmp_path: Path, name: str, codec: str) -> None:
    film = with_track(tmp_path / name, codec, [(500, 1500, "你终于回来了"), (1600, 3000, "I never said that")])
    lines = read_lines(film, AssetKind.EPISODE, None)
    assert [(li.surface, li.text, li.where) for li in lines] == [
        ("subtitle", "你终于回来了", TimeRange(500_000, 1_500_000)),
        ("subtitle", "I never said that", TimeRange(1_600_000, 3_000_000)),
    ]


LURE = "加微信 abc12345 领取福利"


def tagged(path: Path) -> Path:
    """A film with words in its title, in a track's title, in a chapter and where only programs write."""
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata.update({"title": LURE, "AIGC": '{"Label":"1"}', "encoder": "Lavf", "artist": "  "})
        out.metadata.update({"minor_version": "加微信 abc12345", "comment": "好" * 5000, "扫码": "领取"})
        video = out.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        video.metadata.update({"title": "第一轨", "language": "chi"})
        out.set_chapters(
            [{"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "第一章"}}]
        )
        for n in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 10)
            out.mux(video.encode(frame))
        out.mux(video.encode())
    return path


def test_what_a_file_says_of_itself_is_read(tmp_path: Path) -> None:
    laid_out = tmp_path / "b.mp4"
    media.normalise(tagged(tmp_path / "a.mkv"), laid_out)
    for path in (tmp_path / "a.mkv", laid_out):
        lines = read_lines(path, AssetKind.EPISODE, None)
        said = {li.text: li.source.lower() for li in lines if li.surface == "metadata"}
        assert said[LURE] == "tag:title", path
        assert said["第一轨"] in ("tag:title", "tag:name"), path
        assert said["第一章"] == "tag:title", path
        assert said["好" * 2000] == "tag:comment", path
        assert said["扫码 领取"] == "tag:unnamed", path
        assert said["加微信 abc12345"] == "tag:minor_version", path
        assert len(said) == 6, path
        assert {li.where for li in lines} == {None}


def test_a_lure_in_a_films_title_is_found_and_an_ordinary_title_is_not(tmp_path: Path) -> None:
    found = {}
    for title in (LURE, "总裁归来 第一集"):
        path = made_films.film(tmp_path / "a.mp4", seconds=1, metadata={"title": title})
        lines = read_lines(path, AssetKind.EPISODE, None)
        film = film_of(path, 1, (64, 64), lines=lines, kind=AssetKind.EPISODE)
        opened = text_detector.classifier.open(film, Context(Registry(), WeightStore(Path("none"))))
        found[title] = {(f.category, f.surface) for f in opened.finish(film)}
    assert ("lure.contact", Surface.METADATA) in found[LURE]
    assert found["总裁归来 第一集"] == set()


def test_the_title_of_a_recording_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    made_films.recording(path, "libmp3lame", metadata={"title": LURE})
    assert [(li.surface, li.text, li.source) for li in read_lines(path, AssetKind.AUDIO, None)] == [
        ("metadata", LURE, "tag:title")
    ]


def test_more_tags_than_are_read_are_refused(tmp_path: Path) -> None:
    many = {f"key{n}": str(n) for n in range(3001)}
    path = made_films.recording(tmp_path / "a.flac", "flac", metadata=many)
    with pytest.raises(Unusable, match="export it without them"):
        read_lines(path, AssetKind.AUDIO, None)


def test_srt_vtt_and_ass_say_the_same(tmp_path: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,500\n<i>你好</i>\n世界\n\n2\n00:00:03,000 --> 00:00:04,000\nBye\n"
    vtt = "WEBVTT\n\nNOTE by hand\n\n00:01.000 --> 00:02.500 align:start\n你好\n世界\n\n00:03.000 --> 00:04.000\nBye\n"
    ass = (
        "[Script Info]\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\an8}你好\\N世界\n"
        "Comment: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,not shown\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,Bye\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0\n"
    )
    wanted = [("你好 世界", TimeRange(1_000_000, 2_500_000)), ("Bye", TimeRange(3_000_000, 4_000_000))]
    for name, content in (("a.srt", srt), ("a.vtt", vtt), ("a.ass", ass), ("srt.txt", srt)):
        lines = read_lines(script(tmp_path, content, name), AssetKind.SCRIPT, None)
        assert [(li.text, li.where) for li in lines] == wanted, name


def test_a_cue_whose_times_are_reversed_is_kept_and_says_so(tmp_path: Path) -> None:
    srt = "1\n00:00:05,000 --> 00:00:02,000\n反了\n\n2\n00:00:01,000 --> 00:00:04,000\n重叠\n\n没有时间的一行\n"
    lines = read_lines(script(tmp_path, srt, "a.srt"), AssetKind.SCRIPT, None)
    assert lines == (
        Line("subtitle", "反了", None, "srt:2:times_reversed"),
        Line("subtitle", "重叠", TimeRange(1_000_000, 4_000_000), "srt:6"),
        Line("subtitle", "没有时间的一行", None, "srt:10:no_times"),
    )


def test_cues_not_parted_by_an_empty_line_are_two(tmp_path: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\n一\n2\n00:00:02,000 --> 00:00:03,000\n二\n"
    assert texts(script(tmp_path, srt, "a.srt")) == ["一", "二"]


@pytest.mark.corpus
def test_fountain_dialogue_is_read_and_its_boneyard_is_not(corpus: Path) -> None:
    folder = corpus / "screenplay"
    assert texts(folder / "Boneyard.fountain") == ["A line of action.", "This is an  boneyard."]
    said = texts(folder / "Dialogue.fountain")
    assert "I like to write." in said
    assert "(nervous) Screenwriting." in said
    assert texts(folder / "Notes.fountain") == [
        "A line.",
        "[[A note.]]",
        "[[This line spans multiple lines.]]",
        "This is an [[internal]] note.",
    ]


def test_json_scripts_give_every_string_and_where_it_stands(tmp_path: Path) -> None:
    doc = {"title": "戏", "scenes": [{"id": "s1", "lines": [{"who": "林晓", "text": "你好"}]}]}
    lines = read_lines(script(tmp_path, json.dumps(doc), "a.json"), AssetKind.SCRIPT, None)
    assert [(li.text, li.source) for li in lines] == [
        ("戏", "script:title"),
        ("林晓", "script:scenes[0].lines[0].who"),
        ("你好", "script:scenes[0].lines[0].text"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"])
def test_simplified_chinese_is_read_in_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    assert decoded(script(tmp_path, CHINESE.encode(encoding))) == CHINESE


@pytest.mark.parametrize("encoding", ["utf-8", "big5", "utf-16"])
def test_traditional_chinese_is_read_in_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    assert decoded(script(tmp_path, TRADITIONAL.encode(encoding))) == TRADITIONAL


def test_curly_quotes_of_windows_are_read(tmp_path: Path) -> None:
    said = "“I’m fine,” she said — café.\n"
    assert decoded(script(tmp_path, said.encode("cp1252"))) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"   \n\n", "empty"),
        (bytes(range(256)) * 40, "UTF-8"),
        (b"\x7fELF" + b"\0\1\2\3" * 500, "UTF-8"),
        (b"\xef\xbb\xbf\xff\xff", "UTF-8"),
    ],
    ids=["empty", "blank", "bytes", "program", "broken"],
)
def test_what_is_not_text_is_refused_with_what_to_do(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(Unusable, match=r"script\.txt") as refused:
        read_lines(script(tmp_path, content), AssetKind.SCRIPT, None)
    assert said in str(refused.value)


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="nested"):
        read_lines(script(tmp_path, "[" * 100_000 + "]" * 100_000, "a.json"), AssetKind.SCRIPT, None)


def test_a_nul_in_a_line_hides_nothing_from_the_reader(tmp_path: Path) -> None:
    assert texts(script(tmp_path, "傻\0逼。" + "这是很长的一行字" * 40)) == ["傻\0逼。" + "这是很长的一行字" * 40]


def test_one_line_of_fifty_megabytes_is_one_line(tmp_path: Path) -> None:
    (line,) = texts(script(tmp_path, b"x" * 50_000_000))
    assert len(line) == 50_000_000


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = script(tmp_path_factory.mktemp("any"), content)
    refusal = ""
    lines: tuple[Line, ...] = ()
    try:
        lines = read_lines(path, AssetKind.SCRIPT, None)
    except Unusable as refused:
        refusal = str(refused)
    assert lines or "script.txt" in refusal
    assert all(line.text for line in lines)
