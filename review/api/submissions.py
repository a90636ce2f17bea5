"""Submitting a file, and everything that can be asked about what became of it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from policies.rulebook import RulebookError, select
from provenance.registry import PapersError, parse_papers
from review import ids, jobs, store
from review.api.auth import Asking, Principal
from review.api.idempotency import LONGEST_WAIT_S, Answer, Key, Once
from review.api.problems import DOCUMENTED, Problem
from review.api.service import Service, service_of
from review.api.uploads import UPLOAD_ID
from review.api.words import Document, FileName, plain
from review.blobs import SHA256
from review.database import Connection
from review.store import NewSubmission
from review.submission import SubmissionError, judged_at, kind_of

Json = dict[str, Any]
SUBMISSION_ID = re.compile(rf"sub_{ids.BODY}")
HEARTBEAT_S = 15
CREATE = "/v1/submissions"

router = APIRouter(tags=["submissions"], responses=DOCUMENTED)

Territory = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
RulebookName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""A name, never a path: files of the server are not the submitter's to name."""


class SubmissionRequest(BaseModel):
    """One file to pass through the gate."""

    model_config = ConfigDict(extra="forbid")
    asset: str | None = Field(None, description="Id (upl_...) or SHA-256 of a finished upload.", max_length=80)
    sha256: str | None = Field(None, description="The same, by content.", pattern=f"^{SHA256.pattern}$")
    papers: Document | None = Field(None, description="The episode's papers (episode.schema.json). Absent: unknown.")
    territories: list[Territory] = Field([], max_length=64)
    rulebooks: list[RulebookName] = Field(
        [],
        max_length=64,
        description="Judge as well, beside this gateway's own for the territories: a name adds and never takes away.",
    )
    gate: Literal["prescreen", "publish"] | None = Field(None, description="The papers' own, else publish.")
    planned_publish_at: AwareDatetime | None = Field(
        None, description="The papers' own, else now. A day that has passed counts as now; at most the year 2199."
    )
    file_name: FileName | None = Field(None, description="What people know it as; the upload's own where absent.")

    @model_validator(mode="after")
    def _names_one_file(self) -> SubmissionRequest:
        if (self.asset is None) == (self.sha256 is None):
            raise ValueError("name the file once: `asset` (upload id or SHA-256) or `sha256`")
        return self


@router.post(CREATE, status_code=202, response_model=None, responses={200: {"description": "Decided within the wait."}})
async def submit(
    request: Request,
    asking: Asking,
    asked: SubmissionRequest,
    key: Key = None,
    prefer: Annotated[str | None, Header(description="`wait=N`: answer 200 once decided, within N <= 60 s.")] = None,
) -> Response:
    """Submit an uploaded file. 202 with where to look; 200 where it was decided within the wait that was asked for."""
    service = service_of(request)
    once = Once.of(asking.tenant, CREATE, key, asked.model_dump(mode="json"))
    wait_s = _wait(prefer)
    answer, replayed = await run_in_threadpool(_create, service, asking, asked, once, wait_s > 0)
    if replayed or wait_s == 0:
        return answer.response(replayed=replayed)
    row = await _settled(service, asking.tenant, answer.body["id"], wait_s)
    answer = Answer(200 if row["state"] in store.SETTLED else 202, shown(row), answer.headers)
    await run_in_threadpool(_keep, service, once, answer)
    return answer.response()


def _create(
    service: Service, asking: Principal, asked: SubmissionRequest, once: Once, waiting: bool
) -> tuple[Answer, bool]:
    with service.database.as_tenant(asking.tenant) as db:
        if (before := once.recall(db)) is not None:
            return before, True
        row = store.create(db, asking.tenant, asking.actor, _checked(db, service, asked))
        jobs.enqueue(db, asking.tenant, "review", row["id"])
        answer = Answer(202, shown(row), {"Location": f"{CREATE}/{row['id']}"})
        once.keep(db, answer, waiting=waiting)
        return answer, False


def _checked(db: Connection, service: Service, asked: SubmissionRequest) -> NewSubmission:
    """What is asked for, once everything in it is known to be usable."""
    papers = None if asked.papers is None else _papers(asked.papers)
    upload = _upload(db, service, asked)
    file_name = asked.file_name or plain(upload["file_name"])
    return NewSubmission(
        sha256=upload["sha256"],
        media_type=upload["media_type"],
        kind=kind_of(Path(file_name), papers).value,
        file_name=file_name,
        papers=papers,
        territories=tuple(asked.territories),
        rulebooks=_judging(asked.rulebooks, asked.territories, papers),
        gate=asked.gate or (papers or {}).get("gate") or "publish",
        planned_publish_at=_judged_at(asked.planned_publish_at, papers),
    )


def _papers(papers: Json) -> Json:
    try:
        return parse_papers(json.dumps(papers, ensure_ascii=False).encode(), "papers")
    except PapersError as wrong:
        raise Problem("invalid-papers", str(wrong)) from wrong


def _judging(named: Sequence[str], territories: Sequence[str], papers: Json | None) -> tuple[str, ...]:
    """Names of the rulebooks that judge: this gateway's own, today's, for these territories, and those named.

    Named rulebooks judge alone (policies.rulebook.select), and whoever is judged does not choose the law.
    """
    try:
        own = select(territories=tuple(territories), papers=papers)
        select(names=tuple(named), territories=tuple(territories), papers=papers)
    except RulebookError as unknown:
        raise Problem("unknown-rulebook", str(unknown)) from unknown
    return tuple(dict.fromkeys([*(book.name for book in own), *named]))


def _judged_at(asked: datetime | None, papers: Json | None) -> datetime:
    """The instant the rules are evaluated as of. Raises Problem for a date nobody can mean, asked for or in papers."""
    now, written = datetime.now(UTC).replace(microsecond=0), (papers or {}).get("planned_publish_at")
    try:
        stated = None if written is None else datetime.fromisoformat(written.upper())  # RFC 3339 allows t and z
        in_papers = judged_at(stated, now)
        return in_papers if asked is None else judged_at(asked, now)
    except SubmissionError as wrong:
        raise Problem("invalid-request", str(wrong)) from wrong


def _upload(db: Connection, service: Service, asked: SubmissionRequest) -> Json:
    named = asked.sha256 or asked.asset or ""
    row = None
    if UPLOAD_ID.fullmatch(named):
        row = store.uploaded(db, upload_id=named)
    elif SHA256.fullmatch(named):
        row = store.uploaded(db, sha256=named)
    if row is None or row["sha256"] not in service.blobs:
        raise Problem("unknown-asset", f"no finished upload is named {plain(named)!r}: POST it to /v1/uploads first")
    return row


def _keep(service: Service, once: Once, answer: Answer) -> None:
    with service.database.as_tenant(once.tenant) as db:
        once.keep(db, answer)


def _wait(prefer: str | None) -> float:
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*(\d{1,6})", prefer or "")
    return min(float(found[1]), LONGEST_WAIT_S) if found else 0.0


async def _settled(service: Service, tenant: str, submission_id: str, wait_s: float) -> Json:
    """The submission once no machine works on it any more, or as it is when the wait is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    with service.watch.of(submission_id) as news:
        while True:
            news.clear()
            row = await run_in_threadpool(_load, service, tenant, submission_id)
            left = deadline - loop.time()
            if row["state"] in store.SETTLED or left <= 0 or service.watch.over:
                return row
            try:
                await asyncio.wait_for(news.wait(), min(left, 5.0))
            except TimeoutError:
                continue


# What became of it.


@router.get(CREATE)
def list_submissions(
    request: Request,
    response: Response,
    asking: Asking,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    state: Annotated[list[str] | None, Query(description="Only these states.", max_length=20)] = None,
    outcome: Annotated[list[str] | None, Query(description="Only these outcomes.", max_length=4)] = None,
) -> Json:
    """Submissions, the newest first. `next_cursor` leads on, and is null on the last page."""
    before = None if cursor is None else _read_cursor(cursor)
    states, outcomes = [_storable(s) for s in state or ()], [_storable(o) for o in outcome or ()]
    with service_of(request).database.as_tenant(asking.tenant) as db:
        rows = store.newest(db, limit + 1, before, states, outcomes)
    following = _cursor(rows[limit - 1]) if len(rows) > limit else None
    if following is not None:
        url = request.url.include_query_params(cursor=following)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return {"items": [shown(row) for row in rows[:limit]], "next_cursor": following}


@router.get(f"{CREATE}/{{submission_id}}")
def show(request: Request, asking: Asking, submission_id: str) -> Json:
    """One submission and the state it is in."""
    return shown(_load(service_of(request), asking.tenant, submission_id))


@router.get(f"{CREATE}/{{submission_id}}/verdict")
def verdict(request: Request, asking: Asking, submission_id: str) -> Json:
    """The verdict with everything it rests on: the document of `dramagate check --json`."""
    row = decided(service_of(request), asking.tenant, submission_id)
    return {**row["decision"], "submission": row["id"], "state": row["state"]}


@router.get(f"{CREATE}/{{submission_id}}/findings")
def findings(
    request: Request,
    asking: Asking,
    submission_id: str,
    category: Annotated[
        str | None, Query(max_length=100, description="An id of the taxonomy, or its beginning.")
    ] = None,
    min_score: Annotated[float, Query(ge=0, le=1)] = 0.0,
) -> Json:
    """What was found, what nobody could look at, and which classifiers looked."""
    screening = decided(service_of(request), asking.tenant, submission_id)["decision"]["screening"]
    found = [
        finding
        for finding in screening["findings"]
        if finding["score"] >= min_score
        and (category is None or f"{finding['category']}.".startswith(category.rstrip(".*") + "."))
    ]
    return {"findings": found, "gaps": screening["gaps"], "ran": screening["ran"]}


@router.get(f"{CREATE}/{{submission_id}}/timeline")
def timeline(request: Request, asking: Asking, submission_id: str) -> Json:
    """Everything with a place in time: shots, findings, reasons and edits, in microseconds."""
    decision = decided(service_of(request), asking.tenant, submission_id)["decision"]
    screening, judged = decision["screening"], decision["verdict"]
    return {
        "duration_us": decision["duration_us"],
        "shots": screening["shots"],
        "findings": sorted(screening["findings"], key=lambda f: (f["start_us"], f["end_us"], f["id"])),
        "reasons": [{k: r[k] for k in ("rule", "rulebook", "outcome", "ranges", "title")} for r in judged["reasons"]],
        "edits": judged["edits"],
    }


@router.get(f"{CREATE}/{{submission_id}}/events", response_class=EventSourceResponse, response_model=None)
async def events(
    request: Request,
    asking: Asking,
    submission_id: str,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> EventSourceResponse:
    """Server-sent events: state, progress, verdict. `Last-Event-ID` resumes after that event."""
    service = service_of(request)
    await run_in_threadpool(_load, service, asking.tenant, submission_id)
    given = last_event_id or ""
    after = int(given) if given.isdecimal() and len(given) < 19 else 0
    return EventSourceResponse(_news(service, asking.tenant, submission_id, after), ping=HEARTBEAT_S)


async def _news(service: Service, tenant: str, submission_id: str, after: int) -> AsyncIterator[ServerSentEvent]:
    with service.watch.of(submission_id) as news:
        while not service.watch.over:
            news.clear()
            for event in await run_in_threadpool(_events, service, tenant, submission_id, after):
                after = event["seq"]
                data = json.dumps({**event["data"], "at": event["at"].isoformat()}, ensure_ascii=False)
                yield ServerSentEvent(data=data, event=event["kind"], id=str(after))
            await news.wait()


def _events(service: Service, tenant: str, submission_id: str, after: int) -> list[Json]:
    with service.database.as_tenant(tenant) as db:
        return store.events_after(db, submission_id, after)


# What the submitter may still do.


@router.post(f"{CREATE}/{{submission_id}}/withdraw", response_model=None)
def withdraw(request: Request, asking: Asking, submission_id: str, key: Key = None) -> Response:
    """Take the submission back: whatever is being done for it stops, and nothing of it is released from here on."""
    once = Once.of(asking.tenant, f"{CREATE}/{submission_id}/withdraw", key, {})
    with service_of(request).database.as_tenant(asking.tenant) as db:
        if (before := once.recall(db)) is not None:
            return before.response(replayed=True)
        _known(db, submission_id)
        try:
            row = store.withdraw(db, asking.tenant, asking.actor, submission_id)
        except store.Moved as moved:
            raise Problem("wrong-state", str(moved)) from moved
        answer = Answer(200, shown(row or {}))
        once.keep(db, answer)
        return answer.response()


@router.post(f"{CREATE}/{{submission_id}}/rescreen", status_code=202, response_model=None)
def rescreen(request: Request, asking: Asking, submission_id: str, key: Key = None) -> Response:
    """Look at the same file and papers again, with today's rulebooks, registries and models, and never as of the past.

    A new submission; once it is decided, this one is superseded by it.
    """
    once = Once.of(asking.tenant, f"{CREATE}/{submission_id}/rescreen", key, {})
    with service_of(request).database.as_tenant(asking.tenant) as db:
        if (before := once.recall(db)) is not None:
            return before.response(replayed=True)
        row = _known(db, submission_id, lock=True)
        if row["state"] not in ("decided", "in_queue", "released", "rejected", "failed"):
            raise Problem(
                "wrong-state", f"{submission_id} is {row['state']}: only what has ended can be screened again"
            )
        if (pending := store.pending_rescreen(db, submission_id)) is not None:
            raise Problem(
                "wrong-state",
                f"{submission_id} is being screened again as {pending}: wait for that one's verdict, or withdraw it",
            )
        again = NewSubmission(
            sha256=row["sha256"],
            media_type=row["media_type"],
            kind=row["kind"],
            file_name=row["file_name"],
            papers=row["papers"],
            territories=tuple(row["territories"]),
            rulebooks=_judging(row["rulebooks"], row["territories"], row["papers"]),
            gate=row["gate"],
            planned_publish_at=_judged_at(row["planned_publish_at"], row["papers"]),
        )
        new = store.create(db, asking.tenant, asking.actor, again, supersedes=submission_id)
        jobs.enqueue(db, asking.tenant, "review", new["id"])
        answer = Answer(202, shown(new), {"Location": f"{CREATE}/{new['id']}"})
        once.keep(db, answer)
        return answer.response()


# Shared with media.py.


def decided(service: Service, tenant: str, submission_id: str) -> Json:
    """The submission, which has a verdict. Raises Problem where it has none."""
    row = _load(service, tenant, submission_id)
    if row["decision"] is None:
        if row["failure"] is not None:
            raise Problem("failed", f"{submission_id} failed, which is no approval: {row['failure']['detail']}")
        raise Problem(
            "not-decided", f"{submission_id} is {row['state']}: ask again later", headers={"Retry-After": "1"}
        )
    return row


def shown(row: Json) -> Json:
    """A submission as clients see it; times in RFC 3339."""
    base = f"{CREATE}/{row['id']}"
    decision = row.get("decision")
    duration = row["duration_us"] if "duration_us" in row else (decision or {}).get("duration_us")
    kept = ("id", "state", "outcome", "file_name", "kind", "media_type", "sha256", "gate", "territories", "rulebooks")
    return {
        **{name: row[name] for name in kept},
        "planned_publish_at": row["planned_publish_at"].isoformat(),
        "duration_us": duration,
        **{name: row[name] for name in ("released_sha256", "failure", "supersedes", "superseded_by")},
        "created_at": row["created_at"].isoformat(),
        "updated_at": row["updated_at"].isoformat(),
        "links": {
            "self": base,
            **{name: f"{base}/{name}" for name in ("verdict", "findings", "timeline", "events", "report", "media")},
        },
    }


def _load(service: Service, tenant: str, submission_id: str) -> Json:
    with service.database.as_tenant(tenant) as db:
        return _known(db, submission_id)


load = _load


def _known(db: Connection, submission_id: str, *, lock: bool = False) -> Json:
    row = store.submission(db, submission_id, lock=lock) if SUBMISSION_ID.fullmatch(submission_id) else None
    if row is None:
        raise Problem("not-found", f"there is no submission {plain(submission_id)}")
    return row


def _storable(word: str) -> str:
    if not re.fullmatch(r"[a-z_]{1,30}", word):
        raise Problem("invalid-request", f"{plain(word)!r} is no state or outcome")
    return word


def _cursor(row: Json) -> str:
    text = f"{row['created_at'].isoformat()}|{row['id']}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, submission_id = text.partition("|")
        when = datetime.fromisoformat(at)
    except (binascii.Error, ValueError):
        when, submission_id = datetime.now(UTC), ""
    if not SUBMISSION_ID.fullmatch(submission_id) or when.tzinfo is None:
        raise Problem("invalid-request", "this cursor is not one of ours: begin again without it")
    return when, submission_id
