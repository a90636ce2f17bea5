"""Labels on the screen that say what the work is: made by AI, filed under a number, called by its title.

The AI label is measured as GB 45438-2025 asks: wording (an AI element and a generation element), height of its
letters over the picture's shortest side, when it is first seen and for how long without a break, contrast and
legibility. What is enough is for the rulebook to say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Look
from classifiers.finding import Finding, Surface, millionths
from classifiers.normalise_text import normalise
from classifiers.screen_reader import VERSION, ScreenLine, ScreenReader
from provenance.asset import AssetKind

LABEL, NUMBER, TITLE = "label.ai_text", "label.number_card", "label.title_card"
OPENING_US = 30_000_000
"""Number and title cards are looked for in this opening. Chosen: openings of short dramas last seconds."""
CAPITAL_OF_EM = 0.716
"""Height of Latin capitals over the size of the type they are set in: 0.716 in Helvetica and Arial, 0.729 in DejaVu
Sans, 0.70 in WenQuanYi Zen Hei. Chinese ink fills 0.93 to 1.0 of it."""
WORDLESS = frozenset({AssetKind.AUDIO, AssetKind.SCRIPT, AssetKind.STORYBOARD, AssetKind.BRANCH_MAP})

# Recognition reads the capital I of "AI" as l, 1 or | in some typefaces.
_AI = r"(?:人工智能|(?<![a-z0-9])a[il1|!](?![a-z0-9]))"
_WORDING = re.compile(
    rf"{_AI}.{{0,6}}?(?:生成|合成)"
    rf"|{_AI}[ -]?(?:generated|synthesi[sz]ed)"
    rf"|artificial intelligence[ -]{{0,3}}(?:generated|synthesi[sz]ed)"
    rf"|(?:generated|synthesi[sz]ed)(?: content)? (?:by|with|using) (?:an? )?(?:{_AI}|artificial intelligence)"
)
"""Source: GB 45438-2025, 4.2.1 and 5.2: an element of artificial intelligence and one of generation or synthesis.
"AI制作", "AI辅助" and "数字人" do not satisfy it. The English wordings say the same two things."""
_DENIED = re.compile(
    r"(?:非|不是|并非|没有|未使用|未用|无|不含|拒绝|反对|禁止|not |no |non-?|never |without )(?:使用|由|任何)?$"
)

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼总"
_NUMBERS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"[(〔\[]?[{_PROVINCES}][)〕\]]?网(?:剧|微剧|络剧)审字[(〔\[]20\d\d[)〕\]]第?\d{{3,6}}号",
        r"(?<![A-Z0-9])V\d{15}(?!\d)",
        r"[(〔\[]?[\u4e00-\u9fffA-Z0-9·]{1,16}[)〕\]]?网微剧备字[(〔\[]20\d\d[)〕\]]第?\d{3,7}号",
    )
)
"""Filing numbers of network dramas: distribution licence, V number of key micro dramas, platform and province
filings. Source: patterns of published numbers."""


class _Looking:
    def __init__(self, reader: ScreenReader) -> None:
        self._reader = reader

    def see(self, frame: Frame) -> None:
        """Let the reader follow the lines onto this frame."""
        self._reader.see(frame)

    def finish(self, film: Film) -> Iterable[Finding]:
        """One finding for each unbroken run of a label."""
        lines = self._reader.finish()
        labels = [line for line in lines if is_label(line.text)]
        if labels:
            first = min(line.where.start_us for line in labels)
            longest = max(line.where.length_us for line in labels)
            for line in labels:
                yield self._label(line, first, longest)
        titles = list(_titles(film))
        for line in lines:
            if line.where.start_us >= OPENING_US:
                continue
            number = filing_number(line.text)
            if number is not None:
                yield self._card(NUMBER, line, number)
            elif any(_shows_title(line.text, title) for title in titles):
                yield self._card(TITLE, line, line.text)

    def _label(self, line: ScreenLine, first_us: int, longest_us: int) -> Finding:
        measured = {
            "height_ratio": round(line.height_ratio, 5),
            "first_seen_us": float(first_us),
            "longest_run_us": float(longest_us),
            "contrast_ratio": round(line.glyphs.contrast, 2),
            "legibility": round(line.confidence, 4),
        }
        if not line.glyphs.han_px:
            # Only Latin letters: the size of their type is what Chinese ink of that type would measure.
            measured["cap_height_ratio"] = measured["height_ratio"]
            measured["height_ratio"] = round(line.height_ratio / CAPITAL_OF_EM, 5)
        return self._finding(LABEL, line, line.text, measured)

    def _card(self, category: str, line: ScreenLine, text: str) -> Finding:
        measured = {
            "height_ratio": round(line.height_ratio, 5),
            "first_seen_us": float(line.where.start_us),
            "longest_run_us": float(line.where.length_us),
        }
        return self._finding(category, line, text, measured)

    def _finding(self, category: str, line: ScreenLine, text: str, measured: dict[str, float]) -> Finding:
        return Finding(
            classifier=classifier.name,
            version=classifier.version,
            category=category,
            score_millionths=millionths(line.confidence),
            surface=Surface.SCREEN_TEXT,
            where=line.where,
            frames=line.frames,
            measured=measured,
            region=line.region,
            text=text,
            evidence=f"frame:{line.where.start_us}",
            weights=self._reader.ocr.digest,
        )


def is_label(text: str) -> bool:
    """Whether `text` says that something was generated or synthesised by AI, and does not deny it."""
    plain = normalise(text).text
    for candidate in (plain, re.sub(r"\s+", "", plain)):
        match = _WORDING.search(candidate)
        if match is not None and _DENIED.search(candidate[: match.start()]) is None:
            return True
    return False


def filing_number(text: str) -> str | None:
    """The filing number `text` shows, without spaces and in upper case; None where it shows none."""
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).upper()
    return next((match[0] for pattern in _NUMBERS if (match := pattern.search(plain)) is not None), None)


def _titles(film: Film) -> Iterator[str]:
    for line in film.lines:
        if line.source in {"papers:series.title", "papers:episode.title"} or line.source.startswith(
            "papers:series.alt_titles"
        ):
            yield line.text


def _shows_title(text: str, title: str) -> bool:
    """Whether a line is the title, give or take an episode number; a sentence that contains it is not."""
    shown, wanted = (re.sub(r"\W+", "", normalise(t).text) for t in (text, title))
    return len(wanted) >= 2 and wanted in shown and len(shown) <= len(wanted) + 6


class _AiLabel:
    name = "ai_label"
    version = f"label-1+{VERSION}"
    emits = frozenset({LABEL, NUMBER, TITLE})
    cadence = Cadence.EVERY
    looks_at = frozenset(AssetKind) - WORDLESS

    def open(self, film: Film, context: Context) -> Look:
        """Bring the networks in. Raises WeightsMissing."""
        return _Looking(ScreenReader.of(film, context))


classifier: Classifier = _AiLabel()
