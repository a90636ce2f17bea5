"""Who is asking: an API key in the Authorization header, or the console's same-origin cookie."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.security import APIKeyCookie, HTTPBearer

from review import store
from review.api.problems import DOCUMENTED, Problem
from review.api.service import Service, service_of

COOKIE = "dramagate_session"
SESSION = timedelta(hours=12)
LINK = timedelta(hours=1)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer dgk_...`")
cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The console's session, same origin only.")
router = APIRouter(tags=["session"], responses=DOCUMENTED)


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf a request is done, and how that is known."""

    tenant: str
    actor: str


def principal(
    request: Request, _: Annotated[object, Depends(bearer)] = None, __: Annotated[object, Depends(cookie)] = None
) -> Principal:
    """Who is asking. Raises Problem where nobody known is."""
    service = service_of(request)
    header = request.headers.get("authorization", "")
    scheme, _space, secret = header.partition(" ")
    if header:
        found = _known(service, secret.strip(), "api_key") if scheme.lower() == "bearer" else None
        if found is None:
            raise _stranger("the API key is not known here, or was revoked")
        return Principal(found[0], f"key:{found[1]}")
    session = request.cookies.get(COOKIE)
    found = _known(service, session, "session") if session else None
    if found is None:
        raise _stranger("send an API key (Authorization: Bearer ...), or open the console's link")
    if request.method not in SAFE and not _same_origin(request):
        raise Problem("cross-site", "the session cookie is for the console itself: other programs use an API key")
    return Principal(found[0], "console")


Asking = Annotated[Principal, Depends(principal)]


@router.post("/session", status_code=204)
def open_session(request: Request, asking: Asking) -> Response:
    """A console session for whoever holds an API key: sets the cookie."""
    return _with_session(service_of(request), asking.tenant, Response(status_code=204), request)


@router.delete("/session", status_code=204)
def close_session() -> Response:
    """Leave the console: the cookie is taken back."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def enter_by_link(request: Request, token: str) -> Response:
    """Follow the link `dramagate serve` prints: a session cookie, and the token out of the address bar."""
    service = service_of(request)
    found = _known(service, token, "console_link")
    if found is None:
        raise Problem("unauthenticated", "this link has expired: start `dramagate serve` again, or use the API key")
    return _with_session(service, found[0], RedirectResponse("/", 303), request)


def new_link(service: Service, tenant: str) -> str:
    """A token that opens the console for an hour."""
    token = secrets.token_urlsafe(32)
    with service.database.as_tenant(tenant) as db:
        store.add_credential(db, tenant, token, "console_link", "link", datetime.now(UTC) + LINK)
    return token


def _with_session(service: Service, tenant: str, answer: Response, request: Request) -> Response:
    secret = secrets.token_urlsafe(32)
    with service.database.as_tenant(tenant) as db:
        store.add_credential(db, tenant, secret, "session", "console", datetime.now(UTC) + SESSION)
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=int(SESSION.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _known(service: Service, secret: str, kind: str) -> tuple[str, str] | None:
    if not secret or len(secret) > 200 or not secret.isascii() or not secret.isprintable():
        return None
    with service.database.across_tenants() as db:
        return store.tenant_of(db, secret, kind)


def _same_origin(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] == request.headers.get("host")


def _stranger(detail: str) -> Problem:
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})
