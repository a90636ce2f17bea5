"""Text as it is meant, with a map back to how it was written: what hides a word from a word list is undone here.

Undone, one code point at a time: compatibility forms (full width, circled, squared, mathematical letters),
case, accents and stacked marks, traditional characters, look-alike Cyrillic and Greek letters in Latin
words, zero-width and direction controls, NULs. Kept: everything a reader sees, in its order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEXICONS = Path(__file__).with_name("lexicons")


@dataclass(frozen=True, slots=True)
class Normalised:
    """`text` as it is meant; character `i` of it was written at `origin[i]` (or at `i`, where origin is None)."""

    text: str
    origin: list[int] | None
    written: str
    disguised: frozenset[int]
    """Positions in `text` that were written in a form nobody needs for writing plainly: circled letters, hidden
    characters inside a word, look-alikes. Full width, case and traditional characters are not disguises."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` was written: half-open positions in `written`."""
        if self.origin is None:
            return start, end
        return self.origin[start], self.origin[end - 1] + 1


def normalise(written: str) -> Normalised:
    """`written` as it is meant. Linear in its length whatever it holds."""
    if written.isascii() and not _CONTROLS.search(written):
        return Normalised(written.translate(_ASCII), None, written, frozenset())
    text: list[str] = []
    origin: list[int] = []
    disguised: set[int] = set()
    hidden = False
    for at, char in enumerate(written):
        meant = _meant(char)
        if not meant:
            # A joiner or mark between two letters hides the word; one at a word's edge hides nothing.
            hidden = bool(text) and _hides(char)
            continue
        if hidden or _is_disguise(char):
            disguised.add(len(text))
        hidden = False
        for one in meant:
            text.append(one)
            origin.append(at)
    _undo_lookalikes(text, disguised)
    return Normalised("".join(text), origin, written, frozenset(disguised))


def windows(written: str, size: int = 1 << 16, overlap: int = 256) -> Iterator[tuple[int, str]]:
    """`written` in overlapping pieces with where each starts, so that a line of any length costs no more memory."""
    if len(written) <= size:
        yield 0, written
        return
    for start in range(0, len(written), size - overlap):
        yield start, written[start : start + size]
        if start + size >= len(written):
            return


_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_ASCII = {**{code: code + 32 for code in range(0x41, 0x5B)}, **dict.fromkeys([*range(9, 14), *range(0x1C, 0x20)], 32)}


# ---------------------------------------------------------------- one code point


@cache
def _meant(char: str) -> str:
    """What one code point stands for, in lower case and simplified Chinese; empty where it stands for nothing."""
    code = ord(char)
    if 0x249C <= code <= 0x24B5:  # parenthesised letters: compatibility would give "(a)"
        return chr(code - 0x249C + 0x61)
    if 0x2474 <= code <= 0x247C:  # parenthesised digits
        return str(code - 0x2474 + 1)
    if 0x2488 <= code <= 0x2490:  # digits with a full stop
        return str(code - 0x2488 + 1)
    for first, last in ((0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189), (0x1F1E6, 0x1F1FF)):
        if first <= code <= last:  # squared, negative circled, negative squared, regional indicator letters
            return chr(code - first + 0x61)
    if 0x3220 <= code <= 0x3243:  # parenthesised Chinese characters
        return unicodedata.normalize("NFKD", char)[1:-1]
    if char in "\t\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return " "
    category = unicodedata.category(char)
    if category in {"Cc", "Cf", "Cs", "Mn", "Me"} or 0xFE00 <= code <= 0xFE0F or char in "\u115f\u1160\u3164\uffa0":
        return ""
    if category == "No" and (digit := unicodedata.digit(char, None)) is not None:
        return str(digit)
    if category == "Zs":
        return " "
    whole = unicodedata.normalize("NFKC", char)
    bare = unicodedata.normalize("NFD", whole)
    return "".join(
        _simplified().get(c, c) for c in (bare[0] if bare[0].isascii() and len(whole) == 1 else whole).lower()
    )


@cache
def _is_disguise(char: str) -> bool:
    """Whether plain writing has no use for this code point as a letter or digit."""
    code = ord(char)
    return (
        0x2070 <= code <= 0x209F  # superscripts and subscripts
        or 0x2460 <= code <= 0x24FF  # circled, parenthesised
        or 0x2776 <= code <= 0x2793  # dingbat digits
        or 0x3220 <= code <= 0x32B0  # parenthesised and circled Chinese
        or 0x1D400 <= code <= 0x1D7FF  # mathematical letters
        or 0x1F110 <= code <= 0x1F1FF  # squared letters, regional indicators
    )


def _hides(char: str) -> bool:
    return unicodedata.category(char) in {"Cf", "Cc"}


@cache
def _simplified() -> dict[str, str]:
    rows = (LEXICONS / "traditional_simplified.tsv").read_text("utf-8").splitlines()
    return dict(row.split("\t", 1) for row in rows if not row.startswith("#"))


_LOOKALIKES = dict(zip("аеорсухіѕјһкмтвнгαεορτυνικ", "aeopcyxisjhkmtbhraeoptuvik", strict=True))
_MIXED = re.compile(f"[a-z{''.join(_LOOKALIKES)}]+")


def _undo_lookalikes(text: list[str], disguised: set[int]) -> None:
    """Cyrillic and Greek letters that look Latin become Latin, in words that also hold Latin letters only."""
    whole = "".join(text)
    if whole.isascii() or not any(c in _LOOKALIKES for c in set(whole)):
        return
    for word in _MIXED.finditer(whole):
        if any(c in _LOOKALIKES for c in word[0]) and any("a" <= c <= "z" for c in word[0]):
            for at in range(word.start(), word.end()):
                if text[at] in _LOOKALIKES:
                    text[at] = _LOOKALIKES[text[at]]
                    disguised.add(at)
