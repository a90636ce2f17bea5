"""Every line of text on the screen, and what the text screen has against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Look
from classifiers.finding import Finding, Region, Surface, millionths
from classifiers.screen_reader import VERSION, ScreenLine, ScreenReader
from classifiers.text_screen import VERSION as WORDS_VERSION
from classifiers.text_screen import Hit, TextScreen
from provenance.asset import AssetKind, TimeRange

SEEN = "text.screen"
WORDLESS = frozenset({AssetKind.AUDIO, AssetKind.SCRIPT, AssetKind.STORYBOARD, AssetKind.BRANCH_MAP})


class _Reading:
    def __init__(self, reader: ScreenReader) -> None:
        self._reader = reader

    def see(self, frame: Frame) -> None:
        """Let the reader follow the lines onto this frame."""
        self._reader.see(frame)

    def finish(self, film: Film) -> Iterable[Finding]:
        """Each line as an observation, and each word against it as what it is."""
        lines = self._reader.finish()
        words = TextScreen.load()
        for line in lines:
            yield self._finding(SEEN, line.confidence, line.text, line.where, line.region, line)
            for hit in words.screen(line.text):
                yield self._hit(hit, line.text, line.where, line.region, line)
        for first, second, where, region in _neighbours(lines):
            seam = len(first.text)
            text = f"{first.text} {second.text}"
            for hit in words.screen(text):
                if hit.start < seam < hit.end or (hit.start > seam and hit.entry.startswith("pattern:")):
                    alone = any(h.category == hit.category for h in words.screen(second.text))
                    if not alone:
                        yield self._hit(hit, text, where, region, second)

    def _hit(self, hit: Hit, text: str, where: TimeRange, region: Region, line: ScreenLine) -> Finding:
        span = {"from_char": float(hit.start), "to_char": float(hit.end)}
        return self._finding(hit.category, hit.score, text, where, region, line, span)

    def _finding(
        self,
        category: str,
        score: float,
        text: str,
        where: TimeRange,
        region: Region,
        line: ScreenLine,
        more: dict[str, float] | None = None,
    ) -> Finding:
        return Finding(
            classifier=classifier.name,
            version=classifier.version,
            category=category,
            score_millionths=millionths(score),
            surface=Surface.SCREEN_TEXT,
            where=where,
            frames=line.frames,
            measured={
                "confidence": round(line.confidence, 4),
                "height_ratio": round(line.height_ratio, 5),
                **(more or {}),
            },
            region=region,
            text=text,
            evidence=f"frame:{where.start_us}",
            weights=self._reader.ocr.digest,
        )


def _neighbours(lines: Iterable[ScreenLine]) -> Iterator[tuple[ScreenLine, ScreenLine, TimeRange, Region]]:
    """Lines read one after the other: at the same time, side by side or one under the other."""
    showing: list[ScreenLine] = []
    for line in sorted(lines, key=lambda line: line.where):
        showing = [s for s in showing if s.where.overlaps(line.where)]
        showing.append(line)
        ordered = sorted(showing, key=lambda s: (round(s.region.y / max(s.region.h, 1e-6) / 2), s.region.x))
        for first, second in pairwise(ordered):
            if line not in (first, second) or not _adjoin(first.region, second.region):
                continue
            start = max(first.where.start_us, second.where.start_us)
            end = min(first.where.end_us, second.where.end_us)
            yield first, second, TimeRange(start, end), _united(first.region, second.region)


def _adjoin(a: Region, b: Region) -> bool:
    beside = abs(a.y - b.y) < 0.6 * max(a.h, b.h) and -0.01 <= b.x - (a.x + a.w) < 0.1
    under = 0 <= b.y - a.y < 2.2 * max(a.h, b.h) and a.x < b.x + b.w and b.x < a.x + a.w
    return beside or under


def _united(a: Region, b: Region) -> Region:
    x, y = min(a.x, b.x), min(a.y, b.y)
    return Region(x, y, max(a.x + a.w, b.x + b.w) - x, max(a.y + a.h, b.y + b.h) - y)


class _ScreenText:
    name = "screen_text"
    cadence = Cadence.EVERY
    looks_at = frozenset(AssetKind) - WORDLESS

    @property
    def version(self) -> str:
        """Reading, word screen and lexicons together."""
        return f"{VERSION}+{WORDS_VERSION}.{TextScreen.load().digest[:12]}"

    @property
    def emits(self) -> frozenset[str]:
        """Lines seen, and every category of the lexicons."""
        return TextScreen.load().categories | {SEEN}

    def open(self, film: Film, context: Context) -> Look:
        """Bring the networks in. Raises WeightsMissing."""
        return _Reading(ScreenReader.of(film, context))


classifier: Classifier = _ScreenText()
