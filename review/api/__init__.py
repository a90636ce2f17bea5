"""The HTTP API: uploads and submissions in, verdicts out, the console beside them. Nothing below knows about HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from provenance.failure import Unavailable
from review.api import auth, checks, console, media, problems, submissions, uploads
from review.api.guard import Guard
from review.api.problems import CATALOGUE, DOCUMENTED, Problem
from review.api.service import Service, Watch, service_of
from review.blobs import LocalBlobs
from review.database import API, Database
from review.settings import Settings

Json = dict[str, Any]


def create_app(settings: Settings, dsn: str) -> FastAPI:
    """The API over the database at `dsn`, which must have been migrated."""
    service = Service(settings, Database(dsn, API, most=16), LocalBlobs(settings.blobs), Watch(dsn))
    app = FastAPI(
        title="dramagate",
        summary="The gate an AI-made short drama passes before it is published.",
        version="1",
        docs_url=None,  # it would fetch scripts from elsewhere
        redoc_url=None,
        lifespan=_life,
    )
    app.state.service = service
    problems.install(app)
    metrics = _Metrics(service)
    app.add_middleware(Guard, body_limit_bytes=settings.papers_limit_bytes, seen=metrics.seen)
    for router in (uploads.router, submissions.router, media.router, checks.router, auth.router):
        app.include_router(router)
    _add_operations(app, metrics)
    app.include_router(console.router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


@contextlib.asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.database.open()
    service.watch.start(asyncio.get_running_loop())
    try:
        yield
    finally:
        service.watch.stop()
        service.database.close()


def _add_operations(app: FastAPI, metrics: _Metrics) -> None:
    @app.get("/healthz", tags=["operation"])
    def healthz() -> Json:
        """Whether this process answers."""
        return {"ok": True}

    @app.get("/readyz", tags=["operation"], responses=DOCUMENTED)
    def readyz(request: Request) -> Json:
        """Whether it can do its work: the database answers."""
        with service_of(request).database.across_tenants() as db:
            db.execute("select 1")
        return {"ok": True, "database": "answers"}

    @app.get("/metrics", tags=["operation"], response_class=Response, response_model=None)
    def exposition() -> Response:
        """Counts and durations for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/problems/{code}", tags=["operation"], responses=DOCUMENTED)
    def problem(code: str) -> Response:
        """What a problem's `type` means."""
        kind = CATALOGUE.get(code)
        if kind is None:
            raise Problem("not-found", f"there is no problem of this name: {', '.join(sorted(CATALOGUE))}")
        return JSONResponse({"code": code, "status": kind.status, "title": kind.title})


class _Metrics(Collector):
    """What Prometheus reads: requests as they end, and the queue as it is when asked."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "dramagate_http_requests_total",
            "Requests by method and status.",
            ["method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "dramagate_http_request_seconds",
            "Time to the first byte of the answer.",
            ["method"],
            registry=self.registry,
        )
        self.registry.register(self)

    def seen(self, method: str, status: int, began: float) -> None:
        """One request was answered."""
        self._requests.labels(method, str(status)).inc()
        self._seconds.labels(method).observe(time.perf_counter() - began)

    def collect(self) -> list[GaugeMetricFamily]:
        """The queue, where the database answers."""
        jobs = GaugeMetricFamily("dramagate_jobs", "Jobs by state.", labels=["state"])
        works = GaugeMetricFamily("dramagate_submissions", "Submissions by state.", labels=["state"])
        try:
            with self._service.database.across_tenants() as db:
                for row in db.execute("select what, state, n from workload()"):
                    (jobs if row["what"] == "job" else works).add_metric([row["state"]], row["n"])
        except Unavailable:
            return []
        return [jobs, works]


def _described(app: FastAPI) -> Json:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, openapi_version="3.1.0", routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = problems.SCHEMA
        app.openapi_schema = document
    return app.openapi_schema
