"""Who allowed what: does a recorded consent or licence cover this use? Pure functions of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Covered(StrEnum):
    """Three-valued: not knowing is never no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry says about one matched person or work in one territory."""

    about: str
    """"person:..." or "work:..."."""
    attribute: str
    """face | voice | ... for a person; reproduce | synchronise | ... for a work."""
    territory: str
    covered: Covered
    grant: str | None
    """Id of the consent or licence that covers; None where none does."""
    why_zh: str
    why_en: str
