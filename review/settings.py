"""What the operator decides, read from the environment once. `.env.example` shows every field with a comment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from provenance.failure import ConfigError

T = TypeVar("T")
PREFIX = "DRAMAGATE_"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything lies and how much of anything is allowed. Sizes in bytes, times in seconds."""

    home: Path
    """Keys, weights, blobs, registry, the embedded database. DRAMAGATE_HOME."""
    database_url: str | None = field(default=None, repr=False)
    """A PostgreSQL 15-18 of the operator's; None starts the embedded one. DRAMAGATE_DATABASE_URL."""
    broker: str = "memory://"
    """What carries job ids to workers. DRAMAGATE_BROKER."""
    registry: Path | None = None
    """Registry folder; `<home>/registry` where that exists and nothing else is named. DRAMAGATE_REGISTRY."""
    device: str = "cpu"
    """cpu | cuda. DRAMAGATE_DEVICE."""
    font: Path | None = None
    """A font with Chinese glyphs for burned-in labels; None looks for one. DRAMAGATE_FONT."""
    workers: int = 1
    """Reviews at the same time. DRAMAGATE_WORKERS."""
    upload_limit_bytes: int = 8 << 30
    """The largest file taken in. DRAMAGATE_UPLOAD_LIMIT_BYTES."""
    papers_limit_bytes: int = 1 << 20
    """The largest JSON body read. DRAMAGATE_PAPERS_LIMIT_BYTES."""
    text_limit_chars: int = 100_000
    """The longest text of one synchronous check. DRAMAGATE_TEXT_LIMIT_CHARS."""
    lease_s: float = 15.0
    """A worker silent for this long has lost its job to another. DRAMAGATE_LEASE_S."""
    job_limit_s: float = 4 * 3600.0
    """A review running longer is stopped and counts as a failed attempt. DRAMAGATE_JOB_LIMIT_S."""
    attempts: int = 5
    """How often a job that kills its worker or fails is tried before the submission is failed. DRAMAGATE_ATTEMPTS."""

    @property
    def blobs(self) -> Path:
        """Where files lie by their digest."""
        return self.home / "blobs"

    @property
    def weights(self) -> Path:
        """Where prepared weights lie."""
        return self.home / "weights"

    @property
    def work(self) -> Path:
        """Where half-made files lie; may be emptied while nothing runs."""
        return self.home / "tmp"

    @property
    def registry_root(self) -> Path | None:
        """The registry folder, or None where there is none."""
        if self.registry is not None:
            return self.registry
        usual = self.home / "registry"
        return usual if usual.is_dir() else None


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings this environment asks for. Raises ConfigError naming the variable and what would be right."""
    env = os.environ if environment is None else environment
    home = _read(env, "HOME", Path.home() / ".local/share/dramagate", _folder)
    default = Settings(home)
    return Settings(
        home=home,
        database_url=_read(env, "DATABASE_URL", None, _database),
        broker=_read(env, "BROKER", default.broker, str),
        registry=_read(env, "REGISTRY", None, _existing_folder),
        device=_read(env, "DEVICE", default.device, _one_of("cpu", "cuda")),
        font=_read(env, "FONT", None, _existing_file),
        workers=_read(env, "WORKERS", default.workers, _whole(1, 256)),
        upload_limit_bytes=_read(env, "UPLOAD_LIMIT_BYTES", default.upload_limit_bytes, _whole(1, 1 << 50)),
        papers_limit_bytes=_read(env, "PAPERS_LIMIT_BYTES", default.papers_limit_bytes, _whole(1024, 1 << 30)),
        text_limit_chars=_read(env, "TEXT_LIMIT_CHARS", default.text_limit_chars, _whole(1, 1 << 30)),
        lease_s=_read(env, "LEASE_S", default.lease_s, _seconds(0.5)),
        job_limit_s=_read(env, "JOB_LIMIT_S", default.job_limit_s, _seconds(1)),
        attempts=_read(env, "ATTEMPTS", default.attempts, _whole(1, 100)),
    )


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables from which `load` makes these settings again; how a worker process is told."""
    values = {
        "HOME": settings.home,
        "DATABASE_URL": settings.database_url,
        "BROKER": settings.broker,
        "REGISTRY": settings.registry,
        "DEVICE": settings.device,
        "FONT": settings.font,
        "WORKERS": settings.workers,
        "UPLOAD_LIMIT_BYTES": settings.upload_limit_bytes,
        "PAPERS_LIMIT_BYTES": settings.papers_limit_bytes,
        "TEXT_LIMIT_CHARS": settings.text_limit_chars,
        "LEASE_S": settings.lease_s,
        "JOB_LIMIT_S": settings.job_limit_s,
        "ATTEMPTS": settings.attempts,
    }
    return {PREFIX + name: str(value) for name, value in values.items() if value is not None}


def _read(env: Mapping[str, str], name: str, default: T, read: Callable[[str], T]) -> T:
    text = env.get(PREFIX + name, "").strip()
    if not text:
        return default
    try:
        return read(text)
    except ValueError as wrong:
        shown = "the value" if name == "DATABASE_URL" else repr(text)
        raise ConfigError(f"{PREFIX}{name}: {shown} {wrong}") from None


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError("is a file; name a folder")
    return path


def _existing_folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise ValueError("is not a folder; name one that exists")
    return path


def _existing_file(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise ValueError("is not a file; name one that exists")
    return path


def _database(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("is not a PostgreSQL address; it looks like postgresql://user:password@host:5432/database")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"is not one of {', '.join(words)}")
        return text

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"is not a whole number from {least} to {most}")
        return int(text)

    return read


def _seconds(least: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not least <= value < 1e9:
            raise ValueError(f"is not a number of seconds, at least {least:g}")
        return value

    return read
