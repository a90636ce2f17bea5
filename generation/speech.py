"""When each syllable of a line is spoken, and how wide the mouth opens for it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

SYLLABLE_US = 185_000
"""Mandarin drama dialogue runs at 5 to 6 syllables a second."""
COMMA_US = 170_000
STOP_US = 260_000


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable, in time from the beginning of its line."""

    start_us: int
    length_us: int
    vowel: int
    """0 a, 1 e, 2 i, 3 o, 4 u."""
    onset: int
    """0 none, 1 hissed, 2 stopped, 3 hummed."""
    tone: int
    """1 level, 2 rising, 3 dipping, 4 falling."""


OPENNESS = (1.0, 0.65, 0.35, 0.8, 0.45)
"""How wide a mouth opens for each vowel."""

_UNIT = re.compile(
    r"(?P<han>[\u3400-\u9fff])|(?P<word>[A-Za-z\u00c0-\u024f']+)|(?P<digit>\d)|(?P<comma>[,,、;;::—-])"
    r"|(?P<stop>[.。!!??…~]+)"
)


def syllables(text: str) -> tuple[Syllable, ...]:
    """The syllables of `text` in order; the same character always sounds the same."""
    found: list[Syllable] = []
    now = 0
    for unit in _UNIT.finditer(text):
        match unit.lastgroup:
            case "comma":
                now += COMMA_US
            case "stop":
                now += STOP_US
            case "word":
                for part in re.findall(r"[^aeiouy]*[aeiouy]+(?:[^aeiouy]+$)?", unit[0].lower()) or [unit[0]]:
                    found.append(_sound(part, now))
                    now += found[-1].length_us
            case _:
                found.append(_sound(unit[0], now))
                now += found[-1].length_us
    return tuple(found)


def length_us(text: str) -> int:
    """How long it takes to say `text`, in microseconds; never nothing."""
    said = syllables(text)
    return max(400_000, said[-1].start_us + said[-1].length_us if said else 0)


def openness(said: tuple[Syllable, ...], at_us: int) -> tuple[float, int]:
    """How wide the mouth is open at `at_us` into the line, in [0, 1], and for which vowel."""
    for s in said:
        if s.start_us <= at_us < s.start_us + s.length_us:
            through = (at_us - s.start_us) / s.length_us
            return OPENNESS[s.vowel] * min(1.0, 4 * through, 3.2 * (1 - through)), s.vowel
    return 0.0, 0


def _sound(unit: str, start_us: int) -> Syllable:
    seed = hashlib.sha256(unit.encode()).digest()
    vowel = next(("aeiou".index(c) for c in unit if c in "aeiou"), seed[0] % 5) if unit.isascii() else seed[0] % 5
    return Syllable(start_us, SYLLABLE_US + (seed[3] % 5 - 2) * 9_000, vowel, seed[1] % 4, seed[2] % 4 + 1)
