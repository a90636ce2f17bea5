"""Pictures, films and pages of a submission: what was submitted, what was released, stills, the report."""

from __future__ import annotations

import base64
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.types import Receive, Scope, Send

from review.api.auth import Asking
from review.api.problems import DOCUMENTED, Problem
from review.api.service import Service, service_of
from review.api.submissions import CREATE, decided, load
from review.evidence import stills_apart
from review.report import write_report
from review.sniff import UNKNOWN, media_type_of

Json = dict[str, Any]
SHOWN_INLINE = ("video/", "audio/", "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif")
"""What a browser may show in place. Anything else a submitter sent could be a page that runs in our origin."""
NO_LONGER_RELEASED = frozenset({"withdrawn", "superseded"})
"""What was released under a verdict that no longer stands is not handed out: a later look may have rejected it."""
REPORT_CSP = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
)
"""The report is made of what strangers wrote: it runs in an origin of its own, with no network and no cookies."""

router = APIRouter(tags=["submissions"], responses=DOCUMENTED)


@router.get(f"{CREATE}/{{submission_id}}/media", response_class=FileResponse, response_model=None)
@router.head(f"{CREATE}/{{submission_id}}/media", include_in_schema=False)
def media(
    request: Request,
    asking: Asking,
    submission_id: str,
    variant: Annotated[Literal["submitted", "released"], Query()] = "submitted",
) -> Response:
    """The file itself, in ranges where asked for."""
    service = service_of(request)
    row = load(service, asking.tenant, submission_id)
    sha256 = row["sha256"] if variant == "submitted" else row["released_sha256"]
    if sha256 is None or (variant == "released" and row["state"] in NO_LONGER_RELEASED):
        instead = f" by {row['superseded_by']}: ask for that one" if row["superseded_by"] else ""
        raise Problem("not-released", f"nothing of {submission_id} may be published: it is {row['state']}{instead}")
    path = _kept(service, sha256)
    etag = f'"{sha256}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    kind = media_type_of(path)
    inline = kind.startswith(SHOWN_INLINE)
    _refuse_impossible(request.headers.get("range", ""), path.stat().st_size)
    return _InRanges(
        path,
        media_type=kind if inline or kind == "text/plain" else UNKNOWN,
        filename=row["file_name"],
        content_disposition_type="inline" if inline else "attachment",
        headers={"ETag": etag, "Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox"},
    )


RANGES = re.compile(r"bytes=\s*(\d*-\d*(?:\s*,\s*\d*-\d*){0,15})\s*")


def _ranges(header: str) -> list[tuple[str, str]]:
    """First and last byte of each range as written; none where it is no range (RFC 9110, 14.2)."""
    found = RANGES.fullmatch(header)
    if found is None:
        return []
    pairs = [(first, last) for first, _, last in (part.strip().partition("-") for part in found[1].split(","))]
    sound = all((f or e) and len(f) < 19 and len(e) < 19 and (not f or not e or int(f) <= int(e)) for f, e in pairs)
    return pairs if sound else []


def _refuse_impossible(header: str, size: int) -> None:
    ranges = _ranges(header)
    if ranges and not any((int(first) < size) if first else int(last) > 0 for first, last in ranges):
        raise Problem(
            "range-not-satisfiable", f"the file has {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )


class _InRanges(FileResponse):
    """A file in ranges; a Range header that is none is ignored."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, without the Range header where it means nothing."""
        headers = [(n, v) for n, v in scope["headers"] if n != b"range" or _ranges(v.decode("latin-1"))]
        await super().__call__({**scope, "headers": headers}, receive, send)


@router.get(
    f"{CREATE}/{{submission_id}}/evidence/{{number}}",
    response_class=Response,
    response_model=None,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def evidence(request: Request, asking: Asking, submission_id: str, number: int) -> Response:
    """The frame finding `number` (from 0, as /findings lists them) speaks of, its region outlined."""
    service = service_of(request)
    row = decided(service, asking.tenant, submission_id)
    found = row["decision"]["screening"]["findings"]
    if not 0 <= number < len(found):
        raise Problem("not-found", f"{submission_id} has {len(found)} findings, numbered from 0")
    finding = found[number]
    wanted = {"at_us": _instant(finding), "region": finding["region"]}
    (still,) = stills_apart(str(_kept(service, row["sha256"])), [wanted])["stills"]
    if "jpeg" not in still:
        raise Problem("not-found", f"there is no still: {still['why']}")
    return Response(base64.b64decode(still["jpeg"]), media_type="image/jpeg", headers={"Cache-Control": "private"})


@router.get(f"{CREATE}/{{submission_id}}/report", response_class=HTMLResponse, response_model=None)
def report(request: Request, asking: Asking, submission_id: str) -> Response:
    """The verdict as one self-contained page."""
    service = service_of(request)
    row = decided(service, asking.tenant, submission_id)
    media_path = _kept(service, row["sha256"])
    service.settings.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=service.settings.work) as folder:
        page = write_report(Path(folder), row["decision"], media=media_path).read_text("utf-8")
    return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_CSP})


def _instant(finding: Json) -> int:
    kind, _, at = str(finding.get("evidence") or "").partition(":")
    return int(at) if kind == "frame" and at.isdecimal() else int(finding["start_us"])


def _kept(service: Service, sha256: str) -> Path:
    try:
        return service.blobs.path(sha256)
    except KeyError:
        raise Problem("not-found", "the file is no longer kept here") from None
