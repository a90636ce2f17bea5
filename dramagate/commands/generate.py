"""`dramagate generate`: a script to a signed episode and everything it was made from."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dramagate.commands.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generation.pipeline import Episode, Tell

DEFAULT_BACKEND = "procedural"
QUIET_S = 2.0
"""A run shorter than this shows no progress (design.md section 3)."""


def generate(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A Fountain (.fountain) or JSON script.")],
    out: Annotated[Path, typer.Option("--out", metavar="D", help="Folder for the episode and its intermediates.")],
    backend: Annotated[str, typer.Option(metavar="NAME", help="Which generator makes it.")] = DEFAULT_BACKEND,
    resume: Annotated[bool, typer.Option("--resume", help="Keep what an earlier run finished in D.")] = False,
    producer: Annotated[
        str | None, typer.Option(metavar="CODE", help="ContentProducer of the AIGC label: your registered code.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Make a signed episode from SCRIPT, with every intermediate signed beside it."""
    from generation.backend import named
    from generation.pipeline import PRODUCER, make_episode
    from provenance.aigc import Label, LabelError
    from provenance.keys import development
    from review.settings import load

    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file; name a folder, it is made where it is missing")
    try:
        Label.first(producer or PRODUCER, "0")
    except LabelError as error:
        raise UsageError(f"--producer {producer}: {error}") from error
    generator = named(backend)
    keys = development(load().home)
    try:
        with _progress(quiet=as_json) as tell:
            episode = make_episode(
                script,
                out,
                backend=generator,
                identity=keys.identity("generator"),
                trust=keys.trust(),
                resume=resume,
                producer=producer or PRODUCER,
                tell=tell,
            )
    except OSError as error:
        where = error.filename or out
        raise InputError(f"{where}: {error.strerror or error}; name a folder with room that can be written") from error
    if as_json:
        document = {**episode.to_json(), "folder": str(out), "reused": sum(f.reused for f in episode.files)}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        _tell(episode)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Tell]:
    """A bar on standard error, on a terminal, for runs that last."""
    if quiet or not sys.stderr.isatty():
        yield lambda _file, _done, _all: None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task, began, shown = bar.add_task("making"), time.monotonic(), False

    def tell(file: str, done: int, total: int) -> None:
        nonlocal shown
        if not shown and time.monotonic() - began > QUIET_S:
            bar.start()
            shown = True
        bar.update(task, description=file or "done", completed=done, total=total)

    try:
        yield tell
    finally:
        if shown:
            bar.stop()


def _tell(episode: Episode) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(
        Text(f"{episode.script.series}, episode {episode.script.episode}: {episode.script.title}", style="bold")
    )
    table = Table("file", "kind", "sha256", "seal")
    for made in episode.files:
        where = made.asset.path.relative_to(episode.folder)
        seal = "in the file" if made.sidecar is None else made.sidecar.name
        table.add_row(str(where), made.asset.kind.value, made.asset.sha256[:16], seal)
    console.print(table)
    reused = sum(made.reused for made in episode.files)
    kept = f", {reused} kept from an earlier run" if reused else ""
    console.print(Text(f"{episode.length_us / 1e6:.1f} s, {len(episode.files)} sealed files{kept}"))
    console.print(Text(f"episode: {episode.path}"))
