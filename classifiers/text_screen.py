"""What words a text says that somebody may have to answer for: lexicons with tiers, contexts and allow-lists.

Every surface (screen text, subtitles, scripts, papers, speech) is screened here. A word list alone is no verdict:
an entry may need certain words near it, may be allowed inside another word, and counts less where it is denied or
quoted. Lexicons are data (`classifiers/lexicons/*.yaml`); lures (numbers, links, prices) are `classifiers/lures.py`.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from classifiers import lures
from classifiers.normalise_text import LEXICONS, Normalised, normalise, windows
from provenance.failure import ConfigError

VERSION = "1"
"""Changes whenever the same text could be answered differently; the lexicons' digest is added to it."""

MOST_HITS = 1_000
"""Hits kept of one text. Beyond them only categories not yet seen are kept, so no outcome gets milder by it."""

SOFT = frozenset(" ,.!?;:，。！？；：、…—“”‘’\"'()（）[]【】《》〈〉「」『』\n") - {"."}
"""What may stand between words in honest writing. Anything else inside a word is put there to hide it."""

DENIED = 0.5
"""Factor on the score of a suspect or context entry that is denied or quoted. Chosen, not measured: it takes 0.9
below the 0.5 from which house-default acts only together with a low score."""


class LexiconError(ConfigError):
    """A lexicon is not usable. One sentence: which file, which entry, what is wrong, what would be right."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found in a text. `start` and `end` are half-open positions in the text as it was written."""

    category: str
    score: float
    """In [0, 1]; a judgement written into the lexicon, not a calibrated probability."""
    start: int
    end: int
    matched: str
    """The text as written, from `start` to `end`."""
    tier: str
    """block: hardly ever innocent; suspect: a person may have to look; context: only with certain words near it."""
    entry: str
    """The entry of the lexicon, or "pattern:<name>"."""
    cloaked: bool = False
    """Whether it was written so as not to be found."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of a lexicon."""

    word: str
    category: str
    tier: str
    score: float
    near: tuple[str, ...] = ()
    within: int = 0
    """`near` must stand at most this many characters before or after the word."""
    beside_han: bool = False
    """Latin letters that mean this only in Chinese writing."""


class TextScreen:
    """The screen made of some lexicons. `TextScreen.load()` gives the shipped one."""

    def __init__(self, entries: Iterable[Entry], allowed: Iterable[str], denials: Iterable[str], digest: str) -> None:
        self.digest = digest
        """SHA-256 of the lexicons: part of the version of every classifier that uses them."""
        self._entries: dict[str, list[Entry]] = {}
        for entry in entries:
            self._entries.setdefault(entry.word, []).append(entry)
        words = list(self._entries)
        self._all = _Words(words)
        self._han = _Words(w for w in words if _has_han(w) and len(w) > 1)
        self._allowed = _Words(allowed)
        self._denials = _Words(denials)
        self._stretched: dict[str, list[str]] = {}
        for word in words:
            if word.isascii() and word.isalpha():
                self._stretched.setdefault(_squeezed(word), []).append(word)
        self._by_length: dict[int, list[str]] = {}
        for word in (w for w in words if w.isascii() and w.isalpha() and len(w) >= 4):
            self._by_length.setdefault(len(word), []).append(word)

    @classmethod
    def load(cls, folder: Path = LEXICONS) -> TextScreen:
        """The screen of all lexicons in `folder`, read once per process. Raises LexiconError."""
        return _load(folder)

    @property
    def categories(self) -> frozenset[str]:
        """Every category it can report."""
        own = {e.category for es in self._entries.values() for e in es}
        return frozenset(own | lures.CATEGORIES | {CLOAKED})

    def screen(self, text: str, lang: str | None = None) -> list[Hit]:
        """Everything found in `text`, in order of place. Linear in its length, whatever it holds.

        `lang` is zh or en where the language is known: it decides whether Latin letters that mean something only
        in Chinese (SB, av) are read so. Without it they are where they stand beside Chinese.
        """
        hits: dict[tuple[str, int, int], Hit] = {}
        seen: set[str] = set()
        for offset, piece in windows(text):
            for hit in self._screen(normalise(piece), lang):
                # A word at the seam of two windows may be cut off; the other window holds it whole.
                if (offset and hit.start == 0) or (hit.end == len(piece) and offset + len(piece) < len(text)):
                    continue
                moved = replace(hit, start=hit.start + offset, end=hit.end + offset) if offset else hit
                key = (moved.category, moved.start, moved.end)
                if key not in hits and (len(hits) < MOST_HITS or moved.category not in seen):
                    hits[key] = moved
                    seen.add(moved.category)
        return sorted(hits.values(), key=lambda h: (h.start, h.end, h.category))

    # ------------------------------------------------------------ one window

    def _screen(self, text: Normalised, lang: str | None) -> Iterator[Hit]:
        plain = _without_markup(text.text)
        allowed = _Spans((start, start + len(word)) for start, word in self._allowed.find(plain))
        found: list[Hit] = []
        for start, end, word, cloaked in self._words(plain):
            if allowed.hold(start, end):
                continue
            for entry in self._entries[word]:
                if not _in_context(entry, plain, start, end, lang):
                    continue
                denied = entry.tier != "block" and self._denied(plain, start)
                score = round(entry.score * (DENIED if denied else 1.0), 6)
                hidden = cloaked or not text.disguised.isdisjoint(range(start, end))
                found.append(_hit(text, entry.category, score, start, end, entry.tier, word, hidden))
        kept = list(_longest(found))
        yield from kept
        for lure in lures.find(plain):
            hidden = not text.disguised.isdisjoint(range(lure.start, lure.end))
            yield _hit(text, lure.category, lure.score, lure.start, lure.end, lure.tier, f"pattern:{lure.name}", hidden)
        for hit in kept:
            if hit.cloaked and hit.tier != "context":
                yield replace(hit, category=CLOAKED, score=round(0.8 * hit.score, 6), entry=hit.entry)

    def _words(self, plain: str) -> Iterator[tuple[int, int, str, bool]]:
        """Every entry's word in `plain`: start, end, word, whether it was hidden by how it is written."""
        for start, word in self._all.find(plain):
            if _stands_alone(plain, start, start + len(word), word):
                yield start, start + len(word), word, False
        yield from self._split_han(plain)
        yield from self._bent_latin(plain)

    def _split_han(self, plain: str) -> Iterator[tuple[int, int, str, bool]]:
        """Chinese words with something put between their characters."""
        if _BETWEEN_HAN.search(plain) is None:
            return
        places = [i for i, c in enumerate(plain) if c.isalnum()]
        joined = "".join(plain[i] for i in places)
        for first, word in self._han.find(joined):
            at = places[first : first + len(word)]
            if at[-1] - at[0] >= len(word) and _hidden_by_gaps(plain, at):
                yield at[0], at[-1] + 1, word, True

    def _bent_latin(self, plain: str) -> Iterator[tuple[int, int, str, bool]]:
        """Latin words stretched (fuuuck), spaced (f u c k), in signs for letters (sh1t), or starred out (f**k)."""
        for match in _BENT.finditer(plain):
            token = match[0]
            if "*" in token and token[0].isalpha():
                starred = [
                    w
                    for w in self._by_length.get(len(token), ())
                    if all(t in ("*", c) for t, c in zip(token, w, strict=True)) and w[0] == token[0]
                ]
                if starred and token.count("*") < len(token) - 1:
                    yield match.start(), match.end(), starred[0], False
                continue
            letters = "".join(_SIGNS.get(c, c) for c in token if c.isalnum() or c in _SIGNS)
            for word in self._stretched.get(_squeezed(letters), ()):
                if word != token and _stretches(letters, word):
                    yield match.start(), match.end(), word, True

    def _denied(self, plain: str, start: int) -> bool:
        """Whether the words right before deny, forbid or quote what follows."""
        return self._denials.stands_in(plain[max(0, start - 12) : start])


CLOAKED = "evasion.cloaked_text"


# ---------------------------------------------------------------- reading lexicons


@lru_cache(maxsize=4)
def _load(folder: Path) -> TextScreen:
    entries: list[Entry] = []
    allowed: set[str] = set()
    denials: set[str] = set()
    sha = hashlib.sha256()
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise LexiconError(f"{folder} holds no lexicon (*.yaml)")
    for file in files:
        raw = file.read_bytes()
        sha.update(file.name.encode() + b"\0" + raw)
        doc = _parsed(file, raw)
        allowed.update(_folded(file, w) for w in doc.get("allow", ()))
        denials.update(_folded(file, w) for w in doc.get("denials", ()))
        for number, group in enumerate(doc.get("entries", ()), 1):
            entries += _group(file, number, group)
    return TextScreen(entries, allowed, denials, sha.hexdigest())


_KEYS = {"lexicon", "version", "about", "entries", "allow", "denials"}
_GROUP_KEYS = {"category", "tier", "score", "words", "near", "within", "beside_han"}


def _parsed(file: Path, raw: bytes) -> dict[str, Any]:
    try:
        doc = yaml.load(raw, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  the C twin of SafeLoader
    except yaml.YAMLError as wrong:
        raise LexiconError(f"{file.name} is not YAML: {wrong}") from wrong
    if not isinstance(doc, dict) or not doc.keys() <= _KEYS:
        known = ", ".join(sorted(_KEYS))
        raise LexiconError(f"{file.name}: a lexicon is a mapping with the keys {known}")
    return doc


def _group(file: Path, number: int, group: Any) -> list[Entry]:
    where = f"{file.name}, entry {number}"
    if not isinstance(group, dict) or not group.keys() <= _GROUP_KEYS:
        raise LexiconError(f"{where}: the keys of an entry are {', '.join(sorted(_GROUP_KEYS))}")
    try:
        category, tier, score, words = group["category"], group["tier"], float(group["score"]), group["words"]
    except (KeyError, TypeError, ValueError) as wrong:
        raise LexiconError(f"{where}: category, tier, score and words are needed ({wrong})") from wrong
    near = tuple(_folded(file, w) for w in group.get("near", ()))
    within = int(group.get("within", 0))
    if tier not in {"block", "suspect", "context"}:
        raise LexiconError(f"{where}: the tier is {tier!r}; it must be block, suspect or context")
    if not 0 < score <= 1:
        raise LexiconError(f"{where}: the score is {score}; it must lie in (0, 1]")
    if (tier == "context") != bool(near) or bool(near) != (within > 0):
        raise LexiconError(
            f"{where}: an entry of tier context, and no other, needs the words near it and within how far"
        )
    return [
        Entry(_folded(file, w), category, tier, score, near, within, bool(group.get("beside_han", False)))
        for w in words
    ]


def _folded(file: Path, word: Any) -> str:
    if not isinstance(word, str) or not word.strip():
        raise LexiconError(f"{file.name}: {word!r} is not a word; quote words that YAML reads as something else")
    return normalise(word.strip()).text


# ---------------------------------------------------------------- finding words


class _Words:
    """Finds every one of some words wherever it stands, overlapping ones too.

    The words are laid out as one tree of literals behind their first letters: nothing in it backtracks, and each
    place is decided in at most the longest word's steps.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._known = frozenset(words)
        lengths: dict[str, set[int]] = {}
        tree: dict[str, Any] = {}
        for word in sorted(self._known):
            lengths.setdefault(word[0], set()).add(len(word))
            node = tree
            for char in word:
                node = node.setdefault(char, {})
            node[""] = {}
        self._lengths = {first: sorted(some, reverse=True) for first, some in lengths.items()}
        ways = [f"{re.escape(first)}(?={_branches(rest)})" for first, rest in tree.items()]
        self._starts = re.compile("|".join(ways) if ways else "(?!)")

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """Where each word starts, and the word; longer ones first at one place."""
        for match in self._starts.finditer(text):
            start = match.start()
            for length in self._lengths[match[0]]:
                word = text[start : start + length]
                if word in self._known and len(word) == length:
                    yield start, word

    def stands_in(self, text: str) -> bool:
        """Whether one of the words stands anywhere in `text`."""
        return next(self.find(text), None) is not None


class _Spans:
    """Some stretches of a text, in order of their starts."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._reach: list[int] = []
        for start, end in spans:
            self._starts.append(start)
            self._reach.append(max(end, self._reach[-1] if self._reach else 0))

    def hold(self, start: int, end: int) -> bool:
        """Whether [start, end) lies within one of them."""
        before = bisect_right(self._starts, start)
        return before > 0 and self._reach[before - 1] >= end


def _branches(node: dict[str, Any]) -> str:
    ways = [re.escape(char) + _branches(child) for char, child in node.items() if char]
    if not ways or "" in node:
        return ""
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"


@cache
def _has_han(word: str) -> bool:
    return any("\u3400" <= c <= "\u9fff" for c in word)


def _is_latin(char: str) -> bool:
    return "a" <= char <= "z" or "0" <= char <= "9" or "\u00df" <= char <= "\u024f"


def _stands_alone(plain: str, start: int, end: int, word: str) -> bool:
    """Whether a word that begins or ends in Latin letters is a word of its own there."""
    if _is_latin(word[0]) and start > 0 and _is_latin(plain[start - 1]):
        return False
    return not (_is_latin(word[-1]) and end < len(plain) and _is_latin(plain[end]))


def _in_context(entry: Entry, plain: str, start: int, end: int, lang: str | None) -> bool:
    if entry.beside_han and lang != "zh":
        around = plain[max(0, start - 2) : start] + plain[end : end + 2]
        if lang == "en" or not any("\u3400" <= c <= "\u9fff" for c in around):
            return False
    if not entry.near:
        return True
    around = plain[max(0, start - entry.within) : start] + "\n" + plain[end : end + entry.within]
    return any(word in around for word in entry.near)


_MARKUP = re.compile(r"</?[a-z][^<>\n]{0,80}>|\{\\[^{}\n]{0,80}\}")


def _without_markup(plain: str) -> str:
    """Tags blanked out, so that a tag inside a word hides it no better than a star."""
    if "<" not in plain and "{" not in plain:
        return plain
    return _MARKUP.sub(lambda m: "\x01" * len(m[0]), plain)


_BETWEEN_HAN = re.compile(r"[\u3400-\u9fff][^\w\u3400-\u9fff]{1,3}[a-z0-9\u3400-\u9fff]|[\u3400-\u9fff]_|\x01")


def _hidden_by_gaps(plain: str, at: list[int]) -> bool:
    """Whether what stands between a word's characters was put there to hide it.

    Odd signs in any gap are. Spaces and punctuation are only where they part every character and the word stands
    apart from its neighbours: "傻 逼" is, "你真傻 逼我走" is not.
    """
    gaps = [plain[a + 1 : b] for a, b in pairwise(at)]
    if any(len(g) > 3 and "\x01" not in g for g in gaps):
        return False
    if all(SOFT.isdisjoint(g) for g in gaps):
        return True
    apart = (at[0] == 0 or not plain[at[0] - 1].isalnum()) and (
        at[-1] + 1 >= len(plain) or not plain[at[-1] + 1].isalnum()
    )
    return apart and all(gaps)


_SIGNS = {"@": "a", "4": "a", "3": "e", "1": "i", "!": "i", "0": "o", "$": "s", "5": "s", "7": "t", "€": "e", "£": "l"}
_BENT = re.compile(
    r"(?<![a-z0-9])[a-z](?:[^\w\u3400-\u9fff]{1,2}[a-z]){2,11}(?![a-z0-9])"  # f u c k, f.u.c.k
    r"|(?<![a-z0-9@$])(?=[a-z0-9@$!€£]{0,24}[a-z])(?=[a-z0-9@$!€£]{0,24}[0-9@$!€£])"  # sh1t, to the next line's end
    r"[a-z0-9@$!€£]{3,24}(?![a-z0-9@$])"
    r"|(?<![a-z0-9])[a-z]{0,24}?([a-z])\1[a-z]{0,24}(?![a-z0-9])"  # fuuuck
    r"|(?<![a-z0-9*])[a-z][a-z*]{0,12}\*[a-z*]{0,12}(?![a-z0-9*])"  # f**k
)


def _squeezed(word: str) -> str:
    """`word` with every run of one letter as a single one."""
    return re.sub(r"(.)\1+", r"\1", word)


_RUNS = re.compile(r"(.)\1*")


def _stretches(letters: str, word: str) -> bool:
    """Whether `letters` is `word` with some letters held longer; both have the same runs of letters."""
    long, short = ([len(m[0]) for m in _RUNS.finditer(w)] for w in (letters, word))
    return all(a >= b for a, b in zip(long, short, strict=True))


def _longest(found: list[Hit]) -> Iterator[Hit]:
    """Without the hits that lie within a longer one of the same category."""
    reach: dict[str, int] = {}
    for hit in sorted(found, key=lambda h: (h.start, -h.end)):
        if hit.end > reach.get(hit.category, -1):
            reach[hit.category] = hit.end
            yield hit


def _hit(
    text: Normalised, category: str, score: float, start: int, end: int, tier: str, entry: str, cloaked: bool
) -> Hit:
    first, last = text.span(start, end)
    return Hit(category, score, first, last, text.written[first:last], tier, entry, cloaked)
