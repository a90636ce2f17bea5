"""What holds for every request: a trace id, a limit on bodies, strict headers on the answer."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from review.api.problems import Problem, response

log = structlog.get_logger(__name__)

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""The console's component library sets styles inline; nothing else may come from anywhere but here."""
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Wraps the whole application; `seen` is told method, status and start of every answer."""

    def __init__(self, app: ASGIApp, body_limit_bytes: int, seen: Callable[[str, int, float], None]) -> None:
        self._app, self._limit, self._seen = app, body_limit_bytes, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, trace = time.perf_counter(), secrets.token_hex(8)
        scope["dramagate.trace_id"] = trace

        started = False

        async def finish(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = trace
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("cache-control", "no-store")
                self._seen(scope["method"], message["status"], began)
            await send(message)

        try:
            await self._app(scope, self._limited(scope, receive), finish)
        except Exception:
            log.exception("request.failed", trace_id=trace, method=scope["method"], path=scope["path"])
            if started:  # too late for an answer: cutting the connection says that it is not whole
                raise
            fault = Problem("internal", f"we failed, and wrote down why under {trace}: nothing was approved by it")
            await response(Request(scope), fault)(scope, receive, finish)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """`receive`, refusing more than a JSON body may have. Files are counted where they are written."""
        if _carries_a_file(scope):
            return receive
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise Problem(
                    "too-large", f"the body has more than {self._limit} bytes: send large files to /v1/uploads"
                )
            return message

        return limited


def _carries_a_file(scope: Scope) -> bool:
    if not scope["path"].startswith("/v1/uploads"):
        return False
    return not any(
        name == b"content-type" and value.startswith(b"application/json") for name, value in scope["headers"]
    )
