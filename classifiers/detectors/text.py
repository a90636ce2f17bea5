"""What the words that came with the work say: subtitles, scripts, titles and synopses."""

from __future__ import annotations

from collections.abc import Iterable

from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Line, Look
from classifiers.finding import Finding, Surface, millionths
from classifiers.text_screen import VERSION, TextScreen
from provenance.asset import AssetKind, TimeRange

SEEN = "text.subtitle"
AROUND = 120
"""Characters kept before and after what was matched in a long text; the rest is in the work itself."""


class _Reading:
    def see(self, frame: Frame) -> None:
        """Nothing: this classifier reads."""

    def finish(self, film: Film) -> Iterable[Finding]:
        """Each subtitle line as an observation, and each word against a line as what it is."""
        words = TextScreen.load()
        for line in film.lines:
            where = _when(line, film)
            surface = Surface(line.surface)
            if surface is Surface.SUBTITLE and line.where is not None:
                yield _finding(SEEN, 1.0, surface, where, line.text[: 2 * AROUND], line.source)
            for hit in words.screen(line.text):
                first = max(0, hit.start - AROUND)
                shown = line.text[first : min(hit.end, hit.start + AROUND) + AROUND]
                span = {"from_char": float(hit.start - first), "to_char": float(min(hit.end - first, len(shown)))}
                yield _finding(hit.category, hit.score, surface, where, shown, line.source, span)


def _when(line: Line, film: Film) -> TimeRange:
    """When the line is shown, inside the work; the whole work where it has no time of its own."""
    whole = TimeRange(0, max(1, film.duration_us))
    if line.where is None:
        return whole
    start = min(line.where.start_us, whole.end_us - 1)
    return TimeRange(start, max(start + 1, min(line.where.end_us, whole.end_us)))


def _finding(
    category: str,
    score: float,
    surface: Surface,
    where: TimeRange,
    text: str,
    source: str,
    measured: dict[str, float] | None = None,
) -> Finding:
    return Finding(
        classifier=classifier.name,
        version=classifier.version,
        category=category,
        score_millionths=millionths(score),
        surface=surface,
        where=where,
        frames=0,
        measured=measured or {},
        text=text,
        evidence=source,
    )


class _Text:
    name = "text"
    cadence = Cadence.NONE
    looks_at = frozenset(AssetKind)

    @property
    def version(self) -> str:
        """The screen and its lexicons together."""
        return f"{VERSION}.{TextScreen.load().digest[:12]}"

    @property
    def emits(self) -> frozenset[str]:
        """Subtitles seen, and every category of the lexicons."""
        return TextScreen.load().categories | {SEEN}

    def open(self, film: Film, context: Context) -> Look:
        """Nothing to bring in: the lexicons are part of the program."""
        del film, context
        return _Reading()


classifier: Classifier = _Text()
