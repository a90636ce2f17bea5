"""The HTML report: complete, self-contained, and unable to be turned against whoever opens it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from classifiers.finding import Finding, Gap, Ran, Region, Screening, Surface
from policies.verdict import (
    Do,
    Edit,
    Obligation,
    Outcome,
    Reason,
    RulebookRef,
    Step,
    Verdict,
    Words,
    territories_json,
    verdict_json,
)
from provenance.asset import TimeRange, digest
from provenance.report import AiDisclosure, AigcLabel, ChainLink, Problem, ProvenanceReport, Seal
from review.evidence import stills
from review.report import write_report
from tests.provenance.made_films import film

HOSTILE = "</script><img src=x onerror=alert(1)>\u202egpj\x00\"'&\u2066"


class Page(HTMLParser):
    """What a browser would make of the page, as far as these tests care."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


def us(start_s: float, end_s: float) -> TimeRange:
    return TimeRange(round(start_s * 1e6), round(end_s * 1e6))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "第01集.mp4", seconds=4, size=(180, 320))


FACE = Finding(
    classifier="likeness",
    version="1",
    category="likeness.face",
    score_millionths=912_345,
    surface=Surface.IMAGE,
    where=us(1, 2),
    region=Region(0.3, 0.1, 0.3, 0.3),
    subject="person:li",
    measured={"distance": 0.41},
)
LINE = Finding("text", "1", "hate.insult", 950_000, Surface.SUBTITLE, us(2.5, 3), text=HOSTILE)
LAW = {"kind": "law", "cite": "GB 45438-2025 5.2", "read": "quoted", "confidence": "high", "url": "javascript:alert(1)"}


def reason(outcome: Outcome, *findings: Finding, rule: str = "cn.rule", words: str = "insult") -> Reason:
    return Reason(
        rule=rule,
        rulebook="cn-labeling",
        territory="CN",
        outcome=outcome,
        title=Words(f"标题 {words}", f"Title {words}"),
        explanation=Words(f"说明 {words}", f"Because {words}"),
        source=LAW,
        finding_ids=tuple(f.id for f in findings),
        ranges=tuple(f.where for f in findings) or (us(0, 1),),
    )


def document(media: Path, reasons: Sequence[Reason], **changes: Any) -> dict[str, Any]:
    verdict = Verdict(
        rulebooks=(RulebookRef("cn-labeling", 3, "sha256:" + "a1" * 32, "CN"),),
        reasons=tuple(reasons),
        edits=(
            Edit(Do.CUT, us(2.5, 3), "cn.rule"),
            Edit(Do.OVERLAY_LABEL, us(0, 3), "cn.start", text=Words("标", "L")),
        ),
        audience={"tier": "cn.caution"},
        obligations=(Obligation(Words("声明AI生成", "Declare AI generation"), "cn.art6", "CN"),),
        path_to_approval=(Step(Words("登记同意书", "Record a consent"), ("cn.rule",), True),),
        not_checked=("voice",),
        advisories=(reason(Outcome.HOLD, rule="draft.rule", words="draft"),),
    )
    screening = Screening(
        duration_us=4_000_000,
        findings=(FACE, LINE),
        gaps=(Gap("voice", "no voice weights are installed", "dramagate models pull voice"),),
        ran=(Ran("likeness", "1", 40, 100, 812),),
        shots=(us(0, 2), us(2, 4)),
    ).to_json()
    provenance = ProvenanceReport(
        seal=Seal.TAINTED,
        problems=(Problem("ingredient.assertion.dataHash.mismatch", "素材不符", "Ingredient differs", HOSTILE),),
        ai_disclosure=AiDisclosure.SIGNED,
        aigc=AigcLabel({"Label": "1", "ProduceID": HOSTILE}, "mp4:moov/udta/meta/keys", True, 1, True),
        chain=(ChainLink("urn:1", HOSTILE, "Signer", None, None, "ok", ("c2pa.created",), (), ("Tool 1",)),),
        signer="Signer",
        trust_list=None,
        generators=("Model X",),
        samples_in_hash=True,
    )
    timing = screening.pop("timing")
    return {
        "schema": "dramagate/check@1",
        "file": media.name,
        "sha256": digest(media),
        "duration_us": 4_000_000,
        "outcome": verdict.outcome.word,
        "territories": territories_json(verdict),
        "verdict": verdict_json(verdict),
        "provenance": provenance.to_json(),
        "screening": screening,
        "timing": timing,
        **changes,
    }


def written(tmp_path: Path, doc: dict[str, Any], media: Path, rendered: Path | None = None) -> tuple[str, Page]:
    # Through JSON, as the command line and the service hand it over.
    path = write_report(tmp_path, json.loads(json.dumps(doc)), media=media, rendered=rendered)
    text = path.read_text("utf-8")
    return text, Page(text)


def test_everything_the_verdict_says_is_on_the_page_in_both_languages(tmp_path: Path, media: Path) -> None:
    reasons = [reason(Outcome.SEGMENT, LINE), reason(Outcome.REJECT, FACE, words="face")]
    _, page = written(tmp_path, document(media, reasons), media)
    wanted = (
        *("拒绝", "Reject", "标题 face", "Title face", "说明 insult", "Because insult", "GB 45438-2025 5.2"),
        *("0:01.000 – 0:02.000", "person:li", "0.91", "Declare AI generation", "声明AI生成", "Record a consent"),
        *("no voice weights are installed", "dramagate models pull voice", "Title draft", "Ingredient differs"),
        *("Chain tainted", "来源链受损", "Model X", "mp4:moov/udta/meta/keys", "a1" * 32, "40 / 100", "cn.caution"),
    )
    assert [w for w in wanted if w not in page.text] == []
    assert page.text.index("Title face") < page.text.index("Title insult")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_word_and_meaning(tmp_path: Path, media: Path, outcome: Outcome) -> None:
    reasons = [reason(outcome, LINE)] if outcome else []
    _, page = written(tmp_path, document(media, reasons), media)
    zh = {
        "approve": "可以按提交的原样发布",
        "segment": "只能发布处理后的版本",
        "hold": "必须由人作出决定",
        "reject": "不得发布",
    }
    assert zh[outcome.word] in page.text
    assert outcome.word.capitalize() in page.text


def test_nothing_from_a_file_becomes_markup_and_nothing_in_it_stays_invisible(tmp_path: Path, media: Path) -> None:
    doc = document(media, [reason(Outcome.REJECT, LINE, words=HOSTILE)], file=HOSTILE)
    text, page = written(tmp_path, doc, media)
    assert page.tags["script"] == 1
    assert all(name != "onerror" for _, name, _ in page.attributes)
    assert "javascript:" not in "".join(page.values("href") + page.values("src"))
    assert not set(text) & {"\u202e", "\u2066", "\x00"}
    assert "U+202E" in page.text
    assert "U+0000" in page.text
    assert "<img src=x onerror=alert(1)>" in page.text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=30))
def test_any_text_leaves_the_structure_of_the_page_as_it_is(tmp_path: Path, media: Path, words: str) -> None:
    def shape(said: str) -> tuple[list[tuple[str, int]], list[str]]:
        doc = document(media, [reason(Outcome.HOLD, FACE, words=said)])
        doc["screening"]["findings"][1]["text"] = said
        _, page = written(tmp_path, doc, media)
        tags = [(tag, count) for tag, count in sorted(page.tags.items()) if tag not in ("span", "br", "bdi")]
        return tags, sorted({name for _, name, _ in page.attributes})

    assert shape(words) == shape("plain")


def test_the_page_forbids_itself_everything_but_its_own_style_and_script(tmp_path: Path, media: Path) -> None:
    text, page = written(tmp_path, document(media, [reason(Outcome.HOLD, FACE)]), media)
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value)
    for tag in ("style", "script"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert body is not None
        own = base64.b64encode(hashlib.sha256(body.group(1).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{own}'" in policy
    assert "default-src 'none'" in policy
    assert page.values("style") == []
    assert [s for s in page.values("src") if not s.startswith("data:image/jpeg;base64,")] == []
    assert [h for h in page.values("href") if not h.startswith("#")] == []


def test_evidence_is_a_blurred_still_of_the_finding_behind_a_button(tmp_path: Path, media: Path) -> None:
    text, page = written(tmp_path, document(media, [reason(Outcome.HOLD, FACE)]), media)
    (source, *others) = [s for s in page.values("src") if s.startswith("data:image/jpeg")]
    with Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))) as still:
        assert still.size == (180, 320)
        assert still.getexif() == {}
    assert len(others) == 1  # the advisory names no finding and shows its range
    buttons = [value for tag, name, value in page.attributes if tag == "button" and name == "aria-pressed"]
    assert buttons == ["false", "false"]
    assert "filter:blur" in text


def test_links_lead_somewhere_and_ids_are_unique(tmp_path: Path, media: Path) -> None:
    _, page = written(tmp_path, document(media, [reason(Outcome.HOLD, FACE, LINE)]), media)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {h[1:] for h in page.values("href")} <= set(ids)


def test_the_rendered_cut_lies_beside_the_page_and_is_linked(tmp_path: Path, media: Path) -> None:
    rendered = tmp_path / "blob"
    rendered.write_bytes(media.read_bytes())
    again = {"outcome": "approve"}
    doc = document(media, [reason(Outcome.SEGMENT, LINE)], rescreened=again)
    folder = tmp_path / "report"
    _, page = written(folder, doc, media, rendered)
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "第01集.cut.mp4"]
    assert "./%E7%AC%AC01%E9%9B%86.cut.mp4" in page.values("href")
    assert digest(folder / "第01集.cut.mp4") == digest(media)
    assert "was screened again" in page.text


def test_reports_of_two_files_lie_side_by_side_and_of_one_replace_each_other(tmp_path: Path, media: Path) -> None:
    doc = document(media, [])
    other = {**doc, "sha256": "0" * 64}
    first = write_report(tmp_path, doc, media=media)
    second = write_report(tmp_path, other, media=media)
    assert (first.name, second.name) == ("report.html", "report-000000000000.html")
    assert write_report(tmp_path, doc, media=media) == first
    assert write_report(tmp_path, other, media=media) == second


def test_a_work_without_pictures_has_a_report_too(tmp_path: Path, media: Path) -> None:
    from tests.provenance.made_films import sound_only

    voice = sound_only(tmp_path / "voice.m4a")
    _, page = written(tmp_path / "out", document(voice, [reason(Outcome.HOLD, FACE)]), voice)
    assert "the work has no picture" in page.text


def test_a_very_long_text_is_shortened_and_says_so(tmp_path: Path, media: Path) -> None:
    doc = document(media, [])
    doc["screening"]["findings"][1]["text"] = "长" * 50_000
    text, page = written(tmp_path, doc, media)
    assert "48000 more characters" in page.text
    assert len(text) < 400_000


def test_stills_show_the_frame_of_the_time_asked_for(media: Path) -> None:
    """Frames say their number in bars across the top; the still of 2.02 s is frame 50, a flash."""
    answer = stills(str(media), [{"at_us": 2_020_000}, {"at_us": 500_000}, {"at_us": 99_000_000}])["stills"]
    pictures = [Image.open(io.BytesIO(base64.b64decode(a["jpeg"]))).convert("L") for a in answer]
    bars = [[p.getpixel((8 + 15 * bit, 12)) > 125 for bit in range(8)] for p in pictures]  # type: ignore[operator]
    said = [sum(1 << i for i, on in enumerate(row) if on) for row in bars]
    assert said == [50, 12, 99]
