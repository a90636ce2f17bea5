"""What every request may need, made once when the API starts; and the watch over submissions that change."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import psycopg
import structlog
from fastapi import Request

from review import store
from review.blobs import LocalBlobs
from review.database import Connection, Database, listener
from review.settings import Settings

log = structlog.get_logger(__name__)


@dataclass
class Service:
    """The API's own: settings, database, blobs, and whoever waits for a submission to change."""

    settings: Settings
    database: Database
    blobs: LocalBlobs
    watch: Watch
    writing: set[str] = field(default_factory=set)
    """Resumable uploads a request is writing to right now."""


def service_of(request: Request) -> Service:
    """The service behind this request."""
    return cast(Service, request.app.state.service)


class Watch:
    """Wakes those who wait for news of a submission. One connection listens for all of them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._over = threading.Event()
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._listen, name="watch", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to listen; news is handed to `loop`."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """End listening, and wake everybody."""
        self._over.set()
        self._call(self._wake_all)
        if self._thread.is_alive():
            self._thread.join(2.0)

    @property
    def over(self) -> bool:
        """Whether the service is being stopped."""
        return self._over.is_set()

    @contextlib.contextmanager
    def of(self, submission_id: str) -> Iterator[asyncio.Event]:
        """An event set whenever there may be news of the submission; clear it before looking."""
        news = asyncio.Event()
        self._waiting[submission_id].add(news)
        try:
            yield news
        finally:
            self._waiting[submission_id].discard(news)
            if not self._waiting[submission_id]:
                del self._waiting[submission_id]

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                with listener(self._dsn) as db:
                    db.execute(f"listen {store.EVENTS_CHANNEL}")
                    self._call(self._wake_all)  # whatever came while nobody listened
                    self._hear(db)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                log.warning("watch.reconnecting")
                self._over.wait(0.2)

    def _hear(self, db: Connection) -> None:
        while not self._over.is_set():
            for notice in db.notifies(timeout=0.5):
                self._call(self._wake, notice.payload)
                if self._over.is_set():
                    return

    def _call(self, function: object, *arguments: object) -> None:
        if self._loop is not None and callable(function):
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                self._loop.call_soon_threadsafe(function, *arguments)

    def _wake(self, submission_id: str) -> None:
        for news in self._waiting.get(submission_id, ()):
            news.set()

    def _wake_all(self) -> None:
        for waiting in self._waiting.values():
            for news in waiting:
                news.set()
