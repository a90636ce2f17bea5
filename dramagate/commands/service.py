"""`dramagate serve`, `work` and `demo`: the running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dramagate.commands.errors import UsageError

QUEUES = ("cpu", "gpu", "render", "notify")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8321,
) -> None:
    """Run the API, the console and a worker, on the embedded PostgreSQL or DRAMAGATE_DATABASE_URL."""
    from review.serve import serve as run
    from review.settings import load

    run(load(), host, port)


def work(
    queue: Annotated[
        list[str] | None, typer.Option(help="cpu, gpu, render or notify; all where none is named.")
    ] = None,
) -> None:
    """Run a Celery worker for a deployment of several machines (needs DRAMAGATE_DATABASE_URL)."""
    from review.serve import work as run
    from review.settings import load

    wrong = [q for q in queue or () if q not in QUEUES]
    if wrong:
        raise UsageError(f"--queue {wrong[0]}: it is one of {', '.join(QUEUES)}")
    run(load(), tuple(queue or QUEUES))


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", help="Where the episodes, the cut and the reports are written.")
    ] = Path("demo-out"),
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="End after the table instead of serving the console.")
    ] = False,
) -> None:
    """Make a small series and send it through a real gateway: one approved, one segmented, one rejected, one held."""
    from dramagate.demo import run

    run(folder, stay=not no_serve)
