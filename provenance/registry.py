"""Who and what is registered: persons, consents, works, licences, series, negatives.

A registry is a directory of JSON records (shared schemas under provenance/schemas/) with the
reference pictures, films and recordings they name beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class RegistryError(Exception):
    """A record cannot be used. The message says which file, where in it, what is wrong, what would be right."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One file a record names, resolved to where it lies."""

    path: Path
    kind: str
    """face | voice | picture | video | audio | text | subtitle."""
    start_us: int | None = None
    end_us: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A real person whose face or voice is matched (person.schema.json)."""

    id: str
    kind: str
    references: tuple[Reference, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """A work, character, mark or sound that is protected (work.schema.json)."""

    id: str
    kind: str
    title: str
    references: tuple[Reference, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything registered. Empty by default; consents and licences stay as their validated records."""

    root: Path | None = None
    persons: Mapping[str, Person] = field(default_factory=dict)
    works: Mapping[str, Work] = field(default_factory=dict)
    consents: tuple[Mapping[str, Any], ...] = ()
    licences: tuple[Mapping[str, Any], ...] = ()
    series: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    negatives: tuple[Mapping[str, Any], ...] = ()
    digest: str = ""
    """SHA-256 over all records in order of id: the registry snapshot a verdict names."""
