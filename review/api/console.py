"""The console's page and its parts, and a page that says how to build it where it is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from review.api.auth import enter_by_link
from review.api.problems import Problem

BUILT = Path(__file__).parent.parent / "console"
OURS = ("v1", "problems", "session", "healthz", "readyz", "metrics", "openapi.json")
"""First parts of addresses that are never the console's."""
router = APIRouter(include_in_schema=False)

_NOT_BUILT = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>dramagate</title>
<body style="font-family:sans-serif;max-width:40rem;margin:4rem auto;line-height:1.6">
<h1>dramagate</h1>
<p>接口已在运行，审核控制台尚未构建。请在项目目录运行 <code>make console</code>，然后刷新本页。</p>
<p>The API is running; the console has not been built. Run <code>make console</code> in the project folder, then
reload this page. The API is described at <a href="/openapi.json">/openapi.json</a>.</p></body></html>"""


@router.get("/")
def front(request: Request, token: Annotated[str | None, Query(max_length=200)] = None) -> Response:
    """The console; with a token from `dramagate serve`, first a session for it."""
    return _page() if token is None else enter_by_link(request, token)


@router.get("/{path:path}")
def part(path: str) -> Response:
    """A built file, or the page itself for addresses the console makes up."""
    first = path.partition("/")[0]
    if first in OURS or first.startswith("."):
        raise Problem("not-found", "nothing answers here: /openapi.json lists every address")
    built = _built().get(path)
    if built is not None:
        lasting = path.startswith("assets/")  # their names carry a digest
        cache = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return FileResponse(built, headers={"Cache-Control": cache})
    if "." in path.rpartition("/")[2]:
        raise Problem("not-found", "the console has no such file")
    return _page()


def _page() -> Response:
    index = _built().get("index.html")
    if index is None:
        return HTMLResponse(_NOT_BUILT, headers={"Cache-Control": "no-store"})
    return FileResponse(index, headers={"Cache-Control": "no-cache"})


def _built() -> dict[str, Path]:
    """The built files by address: a name that is not one of them reaches nothing."""
    if not (BUILT / "index.html").is_file():
        return {}
    return {f.relative_to(BUILT).as_posix(): f for f in BUILT.rglob("*") if f.is_file() and f.suffix != ".py"}
