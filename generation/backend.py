"""The shape of a generator. To add one, add one file to `generation/backends/`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol

from generation import backends
from generation.script import Script
from generation.storyboard import Board, Shot
from provenance.failure import ConfigError


class BackendError(ConfigError):
    """There is no such generator, or it cannot work here. One sentence: what, and what to do."""


@dataclass(frozen=True)
class Production:
    """One episode in the making: what every step of a backend is handed."""

    script: Script
    board: Board
    font: Path
    """A font with Chinese glyphs."""


class Backend(Protocol):
    """What each module in `generation/backends/` offers under the name `backend`.

    Every method writes one unsigned file at `into`; backends never see a signing key. The same script
    gives the same bytes.
    """

    @property
    def name(self) -> str:
        """The name people choose it by: its file's name."""

    @property
    def version(self) -> str:
        """Changes whenever its files would come out differently."""

    @property
    def source_type(self) -> str:
        """How its pictures and sounds come to be: a provenance.sign.SourceType, or its last part."""

    def plan(self, script: Script) -> Board:
        """The storyboard that films `script`."""

    def sketch(self, production: Production, into: Path) -> None:
        """One picture (PNG) that shows every shot of the storyboard."""

    def portray(self, production: Production, who: str, into: Path) -> None:
        """The character sheet (PNG) of `who`."""

    def shoot(self, production: Production, shot: Shot, into: Path) -> None:
        """One shot (MP4), without titles and subtitles; with sound only where it shows a clip."""

    def speak(self, production: Production, into: Path) -> None:
        """Every line of the episode, spoken where it belongs (WAV, 48 kHz, mono)."""

    def score(self, production: Production, into: Path) -> None:
        """The music of the episode (WAV, 48 kHz, stereo)."""


def installed() -> dict[str, Backend]:
    """Every backend there is, by name."""
    modules = (import_module(f"{backends.__name__}.{m.name}") for m in iter_modules(backends.__path__))
    return {module.backend.name: module.backend for module in modules}


def named(name: str) -> Backend:
    """The backend called `name`. Raises BackendError with the nearest spelling."""
    have = installed()
    if name in have:
        return have[name]
    near = difflib.get_close_matches(name, have, 1)
    meant = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(sorted(have))}"
    raise BackendError(f"no generator is called {name!r}; {meant}")
