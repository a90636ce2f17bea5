"""Text from outside: what a name may hold, and nothing that a database or a reader would choke on."""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, Field

LONGEST_NAME = 255
"""Bytes, as file systems have it."""


def plain(text: str) -> str:
    """`text` as a name to show: no folders, no control or direction characters, at most 255 bytes."""
    base = text.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(c for c in base if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")).strip()
    encoded = kept.encode()[:LONGEST_NAME].decode("utf-8", "ignore")
    return encoded if encoded.strip(".") else "unnamed"


def _checked_name(text: str) -> str:
    if plain(text) != text:
        raise ValueError("is not a plain file name: no folders, no control or direction characters, 255 bytes at most")
    return text


FileName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_checked_name)]


def _storable(value: Any) -> Any:
    """`value` unless it holds what neither JSON nor PostgreSQL can keep: NUL, half a character, NaN."""
    stack = [value]
    while stack:
        match stack.pop():
            case str() as text:
                if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
                    raise ValueError("holds a NUL or half a surrogate pair: remove it")
            case float() as number:
                if not math.isfinite(number):
                    raise ValueError("holds NaN or an infinity, which JSON does not have")
            case dict() as table:
                stack += [*table.keys(), *table.values()]
            case list() as items:
                stack += items
            case _:
                pass
    return value


Document = Annotated[dict[str, Any], AfterValidator(_storable)]
Text = Annotated[str, AfterValidator(_storable)]
