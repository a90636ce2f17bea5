"""The gate on this machine with no server: what `check` and friends work with."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dramagate.commands.errors import InputError
from provenance.asset import Asset
from provenance.files import same_file
from provenance.keys import Keys, Trust, development
from provenance.registry import load as load_registry
from provenance.registry import load_papers
from review import pipeline
from review.blobs import LocalBlobs
from review.desk import LocalDesk
from review.pipeline import Decision
from review.settings import Settings, load
from review.submission import Submission, judged_at, kind_of


@dataclass(frozen=True)
class Workplace:
    """A desk, and the settings it was opened with."""

    settings: Settings
    desk: LocalDesk

    def rulebooks(self, names: tuple[str, ...], territories: tuple[str, ...]) -> tuple[str, ...]:
        """`names` as given, once every one of them and every territory is known to be usable.

        Raises policies.rulebook.RulebookError before any file is looked at.
        """
        from policies.rulebook import select

        select(territories, names)
        return names

    def readable_registry(self, named: Path | None) -> None:
        """Raise RegistryError, with every place that is wrong, unless the registry asked about can be read whole."""
        root = self._registry_root(named)
        if root is not None:
            load_registry(root)

    def _registry_root(self, named: Path | None) -> Path | None:
        return self.settings.registry_root if named is None else named.absolute()

    def review(
        self,
        path: Path,
        *,
        papers: Path | None,
        gate: str | None,
        territories: tuple[str, ...],
        rulebooks: tuple[str, ...],
        registry: Path | None,
    ) -> Decision:
        """The decision on the file at `path`. Raises InputError, SubmissionError, PapersError, RegistryError."""
        readable(path)
        record = None if papers is None else load_papers(papers)
        submission = Submission(
            id="local",
            tenant="local",
            asset=Asset.of(path.absolute(), kind_of(path, record)),
            file_name=path.name,
            papers=record,
            territories=territories,
            rulebooks=rulebooks,
            gate=gate or (record or {}).get("gate") or "publish",
            planned_publish_at=_planned(record),
            registry_root=self._registry_root(registry),
        )
        return pipeline.review(submission, self.desk, pipeline.remembering())

    def released_path(self, decision: Decision) -> Path | None:
        """Where the releasable file lies; None where nothing may be released."""
        return None if decision.released is None else self.desk.blobs.path(decision.released["blob"])


def readable(path: Path) -> None:
    """Raise InputError, saying what to do, unless `path` is a file with something in it that can be read."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name the files in it")
    if not path.exists():
        raise InputError(f"{path} does not exist: check the path")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file: copy its content to one")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read by this user: change its permissions")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: export it again")


def writable(out: Path, *sources: Path) -> None:
    """Raise InputError, saying what to do, unless a new file can be written at `out` without touching a source."""
    if out.is_dir():
        raise InputError(f"{out} is a folder: name the file to write in it")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is not a folder: make it, or write somewhere else")
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"{out.parent} may not be written by this user: change its permissions, or write elsewhere")
    for source in sources:
        if same_file(out, source):
            raise InputError(f"{out} is the file that is read: name another, the source stays as it is")


def _planned(papers: dict[str, Any] | None) -> datetime:
    stated = (papers or {}).get("planned_publish_at")
    now = datetime.now(UTC).replace(microsecond=0)
    return judged_at(datetime.fromisoformat(stated) if stated else None, now)


def open_workplace(trust: Sequence[Path] = (), progress: Callable[[int, int], None] | None = None) -> Workplace:
    """A desk over a temporary blob folder, with this machine's keys, weights and trust lists."""
    settings = load()
    keys = development(settings.home)
    folder = Path(tempfile.mkdtemp(prefix="dramagate-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Workplace(
        settings,
        LocalDesk(
            blobs=LocalBlobs(folder / "blobs"),
            home=settings.home,
            trust=trusted(keys, trust),
            weights_root=settings.weights,
            work_root=folder / "work",
            font=settings.font,
            device=settings.device,
            progress=progress,
        ),
    )


def trusted(keys: Keys, lists: Sequence[Path]) -> Trust:
    """This machine's own root and every PEM list in `lists`."""
    trust = keys.trust()
    for path in lists:
        readable(path)
        trust = trust.with_pem(path)
    return trust
