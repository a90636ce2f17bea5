from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from classifiers.detectors.calibration_card import draw_card
from provenance.failure import Unavailable
from review.api import create_app
from review.api.media import _InRanges, _ranges
from review.api.problems import CATALOGUE
from review.api.words import plain
from review.serve import Gateway, running_gateway
from review.settings import Settings
from tests.conftest import Golden
from tests.review.served import owner

Json = dict[str, Any]
SCRIPT = "INT. 厨房 - 日\n\n小雨\n今天吃面。\n".encode()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway") / "home"
    small = Settings(home, upload_limit_bytes=1 << 20, papers_limit_bytes=65536, text_limit_chars=1000)
    with running_gateway(small) as running:
        yield running


@pytest.fixture(scope="module")
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=gateway.url, headers={"Authorization": f"Bearer {gateway.api_key}"}, timeout=90
    ) as client:
        yield client


@pytest.fixture(scope="module")
def script(http: httpx.Client) -> str:
    """SHA-256 of an uploaded script."""
    answer = http.post("/v1/uploads", content=SCRIPT, params={"file_name": "one.fountain"})
    assert answer.status_code == 201
    return str(answer.json()["sha256"])


_key = iter(range(10**6))


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"test-{next(_key)}"}


def submit(http: httpx.Client, sha256: str, **more: Any) -> httpx.Response:
    return http.post("/v1/submissions", json={"sha256": sha256, **more}, headers={**key(), "Prefer": "wait=60"})


@pytest.fixture(scope="module")
def decided(http: httpx.Client, script: str) -> str:
    """Id of a submission with a verdict."""
    answer = submit(http, script, file_name="one.fountain")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def kept_files(gateway: Gateway) -> int:
    root = gateway._service.blobs.root
    return sum(1 for f in root.rglob("*") if f.is_file())


# Problems.

PROBLEMS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v1/nothing", {}),
    ("PUT", "/v1/submissions", {}),
    ("GET", "/v1/submissions", {"headers": {"Authorization": "Bearer dgk_wrong"}}),
    ("GET", "/v1/submissions", {"headers": {"Authorization": ""}}),
    ("GET", "/v1/submissions?limit=0", {}),
    ("GET", "/v1/submissions?cursor=xyz", {}),
    ("GET", "/v1/submissions/sub_00000000000000000000000000", {}),
    ("GET", "/v1/submissions/%00", {}),
    ("GET", "/v1/uploads/..%2f..%2fetc", {}),
    ("POST", "/v1/submissions", {"content": b"{not json", "headers": {"Content-Type": "application/json"}}),
    ("POST", "/v1/submissions", {"content": b"[" * 60000, "headers": {"Content-Type": "application/json"}}),
    ("POST", "/v1/submissions", {"content": b" " * 70000, "headers": {"Content-Type": "application/json"}}),
    ("POST", "/v1/submissions", {"json": {"sha256": "A" * 64, "territorys": ["CN"], "gate": "maybe"}}),
    ("POST", "/v1/submissions", {"json": {}}),
    ("POST", "/v1/submissions", {"json": {"sha256": "0" * 64}}),
    ("POST", "/v1/submissions", {"json": {"sha256": "0" * 64}, "headers": {"Idempotency-Key": "p1"}}),
    (
        "POST",
        "/v1/submissions",
        {"json": {"sha256": "0" * 64, "file_name": "../../x.mp4"}, "headers": {"Idempotency-Key": "p2"}},
    ),
    (
        "POST",
        "/v1/submissions",
        {"json": {"sha256": "0" * 64, "rulebooks": ["/etc/passwd"]}, "headers": {"Idempotency-Key": "p3"}},
    ),
    (
        "POST",
        "/v1/submissions",
        {"json": {"sha256": "0" * 64, "papers": {"title": "a\0b"}}, "headers": {"Idempotency-Key": "p4"}},
    ),
    ("POST", "/v1/uploads", {"content": b"x", "headers": {"X-Content-SHA256": "0" * 64}}),
    ("POST", "/v1/uploads", {"content": b""}),
    ("POST", "/v1/uploads", {"content": b"x" * ((1 << 20) + 1)}),
    ("POST", "/v1/uploads", {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}),
    ("POST", "/v1/uploads", {"json": {"sha256": "0" * 64, "size": -1}}),
    ("POST", "/v1/uploads", {"headers": {"Tus-Resumable": "0.2.2", "Upload-Length": "10"}}),
    ("POST", "/v1/checks/text", {"json": {"text": "x" * 1001}}),
    ("POST", "/v1/checks/text", {"json": {"text": "x", "rulebooks": ["cn-label"]}}),
    ("POST", "/v1/checks/text", {"json": {"text": "a\ud800b"}}),
    ("POST", "/v1/submissions/sub_00000000000000000000000000/withdraw", {"headers": {"Idempotency-Key": "p5"}}),
    ("GET", "/problems/no-such", {}),
]


@pytest.mark.database
def test_every_refusal_is_a_problem_document(gateway: Gateway, http: httpx.Client, golden: Golden) -> None:
    before = kept_files(gateway)
    said = []
    for method, path, request in PROBLEMS:
        content = request.get("json")
        if content is not None:  # httpx refuses to send half characters itself
            request = {**request, "content": json.dumps(content).encode()}
            del request["json"]
            request["headers"] = {"Content-Type": "application/json", **request.get("headers", {})}
        answer = http.request(method, path, **request)
        assert answer.headers["content-type"] == "application/problem+json", (path, answer.text)
        document = answer.json()
        assert (answer.status_code, document["title"]) == (
            CATALOGUE[document["code"]].status,
            CATALOGUE[document["code"]].title,
        )
        assert answer.headers["x-request-id"] == document.pop("trace_id")
        said.append(f"{method} {path[:60]}\n{json.dumps(document, ensure_ascii=False, indent=1)}\n")
    golden("problems.txt", "\n".join(said))
    assert kept_files(gateway) == before, "nothing of a refused upload stays"


@pytest.mark.database
def test_a_fault_of_ours_is_a_problem_that_shows_nothing_and_the_next_request_is_served(
    gateway: Gateway, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("review.api.submissions.store.newest", broken)
    answer = http.get("/v1/submissions")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    monkeypatch.undo()
    assert http.get("/v1/submissions").status_code == 200


@pytest.mark.database
def test_the_description_is_openapi_and_names_problems_for_every_address(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    paths = {path for path in document["paths"] if path.startswith("/v1")}
    assert paths == {
        "/v1/uploads",
        "/v1/uploads/{upload_id}",
        "/v1/submissions",
        *(
            f"/v1/submissions/{{submission_id}}{part}"
            for part in (
                "",
                "/verdict",
                "/findings",
                "/timeline",
                "/events",
                "/report",
                "/media",
                "/withdraw",
                "/rescreen",
            )
        ),
        "/v1/submissions/{submission_id}/evidence/{number}",
        "/v1/checks/text",
    }
    for path in paths:
        for method, operation in document["paths"][path].items():
            assert "application/problem+json" in operation["responses"]["4XX"]["content"], (method, path)
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == sorted(CATALOGUE)


# Uploads.


@pytest.mark.database
def test_a_file_is_kept_by_its_content_however_it_comes(gateway: Gateway, http: httpx.Client) -> None:
    body = b"any bytes at all \x00\xff"
    sha256 = hashlib.sha256(body).hexdigest()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    ways = [
        http.post("/v1/uploads", content=body),
        http.post("/v1/uploads", content=body, headers={"X-Content-SHA256": sha256}),
        http.post("/v1/uploads", content=body, headers={"Content-Digest": f"sha-256=:{digest}:"}),
        http.post("/v1/uploads", content=body, params={"sha256": sha256}),
        http.post("/v1/uploads", files={"file": ("电影.mp4", body)}, data={"sha256": sha256}),
    ]
    assert [answer.status_code for answer in ways] == [201] * 5
    assert {(a.json()["sha256"], a.json()["size"], a.json()["complete"]) for a in ways} == {(sha256, len(body), True)}
    assert ways[-1].json()["file_name"] == "电影.mp4"
    assert gateway._service.blobs.path(sha256).read_bytes() == body
    assert http.get(ways[0].headers["Location"]).json() == ways[0].json()


@pytest.mark.database
def test_bytes_that_are_here_need_not_be_sent_but_only_to_whom_they_belong(
    gateway: Gateway, http: httpx.Client
) -> None:
    body = b"mine"
    announced = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}
    assert http.post("/v1/uploads", json=announced).json()["already_have"] is False
    http.post("/v1/uploads", content=body)
    again = http.post("/v1/uploads", json=announced)
    assert (again.status_code, again.json()["already_have"]) == (200, True)
    with owner(gateway._service.database.dsn) as db:
        db.execute("insert into tenant values ('stranger', 'x') on conflict do nothing")
        db.execute(
            "insert into credential (digest, tenant, kind, name)"
            " values (sha256('dgk_stranger'), 'stranger', 'api_key', 's') on conflict do nothing"
        )
    stranger = {"Authorization": "Bearer dgk_stranger"}
    assert http.post("/v1/uploads", json=announced, headers=stranger).json()["already_have"] is False
    used = http.post("/v1/submissions", json={"sha256": announced["sha256"]}, headers={**stranger, **key()})
    assert (used.status_code, used.json()["code"]) == (422, "unknown-asset")


@pytest.mark.database
def test_a_wrong_multipart_body_keeps_nothing(gateway: Gateway, http: httpx.Client) -> None:
    before = kept_files(gateway)
    for files, data in (
        ([("file", ("a", b"1")), ("file", ("b", b"2"))], {}),
        ([("file", ("a", b"1"))], {"sha256": "0" * 64}),
        ([("file", ("a", b"1"))], {"note": "x" * 2000}),
        ([("file", ("a", b"x" * ((1 << 20) + 1)))], {}),
    ):
        answer = http.post("/v1/uploads", files=files, data=data)
        assert answer.headers["content-type"] == "application/problem+json"
    assert kept_files(gateway) == before


@pytest.mark.database
def test_an_upload_is_resumed_where_it_broke_off(gateway: Gateway, http: httpx.Client) -> None:
    body = bytes(range(256)) * 100
    tus = {"Tus-Resumable": "1.0.0"}
    name = base64.b64encode("长片.mp4".encode()).decode()
    made = http.post(
        "/v1/uploads", headers={**tus, "Upload-Length": str(len(body)), "Upload-Metadata": f"filename {name}"}
    )
    assert made.status_code == 201
    at = made.headers["Location"]

    def piece(start: int, end: int, **more: str) -> httpx.Response:
        headers = {**tus, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream", **more}
        return http.patch(at, content=body[start:end], headers=headers)

    def checksum(data: bytes) -> dict[str, str]:
        return {"Upload-Checksum": "sha256 " + base64.b64encode(hashlib.sha256(data).digest()).decode()}

    assert piece(0, 10_000).headers["Upload-Offset"] == "10000"
    assert piece(0, 10_000).json()["code"] == "upload-offset"
    assert piece(10_000, 12_000, **checksum(b"other")).status_code == 460
    assert http.head(at, headers=tus).headers["Upload-Offset"] == "10000"
    assert http.post("/v1/submissions", json={"asset": made.json()["id"]}, headers=key()).status_code == 422
    assert piece(10_000, 20_000, **checksum(body[10_000:20_000])).status_code == 204

    # The connection breaks in the middle of a piece: what arrived counts.
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as wire:
        told = {
            **tus,
            "Host": host,
            "Authorization": f"Bearer {gateway.api_key}",
            "Upload-Offset": "20000",
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": "5600",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        wire.sendall(f"PATCH {at} HTTP/1.1\r\n{head}\r\n".encode() + body[20_000:22_000])
        time.sleep(0.3)
    deadline = time.monotonic() + 10
    while (offset := int(http.head(at, headers=tus).headers["Upload-Offset"])) == 20_000:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert offset == 22_000
    last = piece(22_000, len(body))
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(body)))
    shown = http.get(at).json()
    assert (shown["sha256"], shown["file_name"]) == (hashlib.sha256(body).hexdigest(), "长片.mp4")
    assert gateway._service.blobs.path(shown["sha256"]).read_bytes() == body


@pytest.mark.database
def test_a_resumed_upload_that_is_not_what_was_announced_is_dropped_whole(gateway: Gateway, http: httpx.Client) -> None:
    before = kept_files(gateway)
    made = http.post("/v1/uploads", json={"sha256": "1" * 64, "size": 4})
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    answer = http.patch(made.headers["Location"], content=b"four", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "digest-mismatch")
    too_much = http.post("/v1/uploads", json={"sha256": "1" * 64, "size": 4})
    answer = http.patch(too_much.headers["Location"], content=b"fivefive", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert http.get(made.headers["Location"]).status_code == 404
    time.sleep(0.05)
    assert kept_files(gateway) - before in (0, 1), "at most the empty file of the upload that may still be continued"


@given(text=st.text(max_size=400))
def test_a_name_to_show_has_no_folders_no_controls_and_fits(text: str) -> None:
    name = plain(text)
    assert plain(name) == name
    assert 0 < len(name.encode()) <= 255
    assert not re.search(r"[/\\\x00-\x1f\u202a-\u202e\u2066-\u2069]", name)
    assert name not in (".", "..")


# Submissions.


@pytest.mark.database
def test_a_submission_is_decided_and_everything_about_it_can_be_asked(http: httpx.Client, decided: str) -> None:
    base = f"/v1/submissions/{decided}"
    row = http.get(base).json()
    verdict = http.get(f"{base}/verdict").json()
    assert verdict["schema"] == "dramagate/check@1"
    assert (verdict["outcome"], verdict["submission"], verdict["state"]) == (row["outcome"], decided, row["state"])
    assert row["state"] in ("released", "rejected", "in_queue", "decided")
    findings = http.get(f"{base}/findings").json()
    assert findings == {k: verdict["screening"][k] for k in ("findings", "gaps", "ran")}
    assert http.get(f"{base}/findings", params={"category": "no.such"}).json()["findings"] == []
    timeline = http.get(f"{base}/timeline").json()
    assert (timeline["duration_us"], timeline["edits"]) == (verdict["duration_us"], verdict["verdict"]["edits"])
    report = http.get(f"{base}/report")
    assert report.text.lower().startswith("<!doctype html")
    assert "sandbox" in report.headers["content-security-policy"]
    assert http.get(f"{base}/evidence/{len(findings['findings'])}").json()["code"] == "not-found"


@pytest.mark.database
def test_the_same_request_is_done_once_and_answered_the_same(http: httpx.Client, script: str) -> None:
    headers = key()
    first = http.post("/v1/submissions", json={"sha256": script}, headers=headers)
    second = http.post(
        "/v1/submissions",
        content=f'{{ "sha256" : "{script}" }}',
        headers={**headers, "Content-Type": "application/json"},
    )
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert ("Idempotency-Replayed" in first.headers, second.headers["Idempotency-Replayed"]) == (False, "true")
    assert first.headers["Location"] == second.headers["Location"] == f"/v1/submissions/{first.json()['id']}"
    other = http.post("/v1/submissions", json={"sha256": script, "gate": "prescreen"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    http.post(f"{first.headers['Location']}/withdraw", headers=key())


@pytest.mark.database
def test_a_request_repeated_while_it_runs_is_told_to_wait(http: httpx.Client, script: str) -> None:
    headers = {**key(), "Prefer": "wait=60"}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(http.post, "/v1/submissions", json={"sha256": script}, headers=headers)
        time.sleep(0.3)
        meanwhile = http.post("/v1/submissions", json={"sha256": script}, headers=headers)
        first = running.result()
    assert (meanwhile.status_code, meanwhile.json()["code"], meanwhile.headers["Retry-After"]) == (
        409,
        "in-progress",
        "1",
    )
    assert first.status_code == 200
    later = http.post("/v1/submissions", json={"sha256": script}, headers=headers)
    assert (later.status_code, later.content) == (200, first.content)


@pytest.mark.database
def test_many_at_once_with_one_key_make_one_submission(gateway: Gateway, http: httpx.Client, script: str) -> None:
    headers = key()
    start = threading.Barrier(12)

    def send(_: int) -> httpx.Response:
        start.wait()
        while (answer := http.post("/v1/submissions", json={"sha256": script}, headers=headers)).status_code == 409:
            time.sleep(0.02)
        return answer

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(12)))
    assert {(a.status_code, a.content) for a in answers} == {(202, answers[0].content)}
    assert sum("Idempotency-Replayed" not in a.headers for a in answers) == 1
    with owner(gateway._service.database.dsn) as db:
        found = db.execute("select count(*) from job where subject = %s", (answers[0].json()["id"],)).fetchone()
    assert found == (1,)
    http.post(f"/v1/submissions/{answers[0].json()['id']}/withdraw", headers=key())


@pytest.mark.database
def test_papers_are_checked_before_anything_is_kept(http: httpx.Client, script: str) -> None:
    def papers(value: object) -> httpx.Response:
        return http.post("/v1/submissions", json={"sha256": script, "papers": value}, headers=key())

    wrong = papers({"schema": "dramagate/episode@1", "duration_minutes": "long"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid-papers")
    unknown = http.post("/v1/submissions", json={"sha256": script, "territories": ["XX"]}, headers=key())
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown-rulebook")


@pytest.mark.database
def test_lists_are_paged_without_gaps_or_repeats(http: httpx.Client, script: str) -> None:
    mine = [http.post("/v1/submissions", json={"sha256": script}, headers=key()).json()["id"] for _ in range(5)]
    everything = [row["id"] for row in http.get("/v1/submissions", params={"limit": 200}).json()["items"]]
    paged, address = [], "/v1/submissions?limit=2"
    while address:
        page = http.get(address)
        paged += [row["id"] for row in page.json()["items"]]
        address = page.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert paged == everything
    assert paged[:5] == mine[::-1]
    for made in mine:
        http.post(f"/v1/submissions/{made}/withdraw", headers=key())
    held = http.get("/v1/submissions", params={"outcome": "hold", "limit": 200}).json()["items"]
    assert {row["outcome"] for row in held} <= {"hold"}


@pytest.mark.database
def test_a_withdrawn_submission_stays_withdrawn_and_releases_nothing(http: httpx.Client, script: str) -> None:
    made = http.post("/v1/submissions", json={"sha256": script}, headers=key()).json()["id"]
    headers = key()
    gone = http.post(f"/v1/submissions/{made}/withdraw", headers=headers)
    assert (gone.status_code, gone.json()["state"]) == (200, "withdrawn")
    assert http.post(f"/v1/submissions/{made}/withdraw", headers=headers).headers["Idempotency-Replayed"] == "true"
    assert http.post(f"/v1/submissions/{made}/rescreen", headers=key()).json()["code"] == "wrong-state"
    time.sleep(1.0)
    assert http.get(f"/v1/submissions/{made}").json()["state"] == "withdrawn"
    assert http.get(f"/v1/submissions/{made}/media?variant=released").json()["code"] == "not-released"


@pytest.mark.database
def test_screening_again_makes_a_new_submission_that_takes_the_place_of_the_old(
    http: httpx.Client, script: str
) -> None:
    old = submit(http, script).json()["id"]
    again = http.post(f"/v1/submissions/{old}/rescreen", headers=key())
    assert (again.status_code, again.json()["supersedes"]) == (202, old)
    deadline = time.monotonic() + 60
    while http.get(f"/v1/submissions/{old}").json()["state"] != "superseded":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert http.get(f"/v1/submissions/{old}").json()["superseded_by"] == again.json()["id"]


@pytest.mark.database
@pytest.mark.parametrize(
    ("asked", "judging"),
    [
        ({}, ["house-default", "cn-labeling"]),
        ({"rulebooks": ["cn-labeling"]}, ["house-default", "cn-labeling"]),
        ({"rulebooks": ["cn-nrta", "cn-nrta"]}, ["house-default", "cn-labeling", "cn-nrta"]),
        ({"territories": ["CN"], "rulebooks": ["cn-labeling"]}, ["house-default", "cn-labeling", "cn-nrta"]),
    ],
)
def test_naming_rulebooks_adds_to_the_gateways_own(
    http: httpx.Client, script: str, asked: Json, judging: list[str]
) -> None:
    made = submit(http, script, **asked).json()
    assert sorted(made["rulebooks"]) == sorted(judging)
    verdict = http.get(made["links"]["verdict"]).json()["verdict"]
    assert {book["name"] for book in verdict["rulebooks"]} == set(judging)
    again = http.post(f"{made['links']['self']}/rescreen", headers=key()).json()
    assert sorted(again["rulebooks"]) == sorted(judging)


@pytest.mark.database
def test_what_the_house_refuses_is_refused_whatever_rulebook_is_named(http: httpx.Client, tmp_path: Path) -> None:
    drawn = draw_card(360, 640)
    Image.fromarray(drawn).save(tmp_path / "card.png")
    sha256 = http.post("/v1/uploads", content=(tmp_path / "card.png").read_bytes()).json()["sha256"]

    def refused_by(**asked: Any) -> set[str]:
        made = submit(http, sha256, file_name="card.png", **asked).json()
        assert made["outcome"] == "reject"
        reasons = http.get(made["links"]["verdict"]).json()["verdict"]["reasons"]
        return {reason["rule"] for reason in reasons if reason["outcome"] == "reject"}

    assert refused_by(rulebooks=["cn-labeling"]) == refused_by() != set()


FAR_DATES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1999-12-31T23:59:59Z", "2200-01-01T00:00:01Z"]


@pytest.mark.database
@pytest.mark.parametrize("date", FAR_DATES)
def test_a_date_nobody_can_mean_is_refused_wherever_it_is_written(http: httpx.Client, script: str, date: str) -> None:
    papers = {"gate": "publish", "asset": {"kind": "script"}, "planned_publish_at": date}
    asked: list[Json] = [
        {"planned_publish_at": date},
        {"papers": papers},
        {"papers": papers, "planned_publish_at": "2150-01-01T00:00:00Z"},
    ]
    for more in asked:
        answer = http.post("/v1/submissions", json={"sha256": script, **more}, headers=key())
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), more
        assert answer.json()["code"] == "invalid-request"
        assert "planned_publish_at" in answer.json()["detail"]
        assert "2000 to 2200" in answer.json()["detail"]


@pytest.mark.database
def test_a_date_no_calendar_has_is_refused_and_one_in_small_letters_is_let_through(
    http: httpx.Client, script: str
) -> None:
    def dated(date: str) -> httpx.Response:
        papers = {"gate": "publish", "asset": {"kind": "script"}, "planned_publish_at": date}
        return http.post("/v1/submissions", json={"sha256": script, "papers": papers}, headers=key())

    assert dated("2150-12-31T23:59:60Z").status_code == 422
    allowed = dated("2151-01-01t00:00:00z")
    assert (allowed.status_code, allowed.json()["planned_publish_at"]) == (202, "2151-01-01T00:00:00+00:00")


@pytest.mark.database
def test_rules_are_never_evaluated_as_of_the_past(gateway: Gateway, http: httpx.Client, script: str) -> None:
    def instant(made: Json) -> datetime:
        return datetime.fromisoformat(made["planned_publish_at"])

    begun = datetime.now(UTC).replace(microsecond=0)
    papers = {"gate": "publish", "asset": {"kind": "script"}, "planned_publish_at": "2020-01-01T00:00:00+08:00"}
    past = submit(http, script, planned_publish_at="2020-01-01T00:00:00Z").json()
    in_papers = submit(http, script, papers=papers).json()
    future = submit(http, script, planned_publish_at="2150-01-01T00:00:00Z").json()
    assert begun <= instant(past) <= datetime.now(UTC)
    assert begun <= instant(in_papers) <= datetime.now(UTC)
    assert instant(future) == datetime(2150, 1, 1, tzinfo=UTC)

    with owner(gateway._service.database.dsn) as db:  # as if it had been submitted years ago
        db.execute("update submission set planned_publish_at = '2020-01-01Z' where id = %s", (past["id"],))
    again = http.post(f"{past['links']['self']}/rescreen", headers=key()).json()
    assert begun <= instant(again) <= datetime.now(UTC)
    again = http.post(f"{future['links']['self']}/rescreen", headers=key()).json()
    assert instant(again) == instant(future)


@pytest.mark.database
def test_what_was_released_is_handed_out_until_a_later_look_takes_its_place(
    gateway: Gateway, http: httpx.Client, script: str
) -> None:
    old, new = submit(http, script).json(), submit(http, script).json()
    released = f"{old['links']['media']}?variant=released"
    with owner(gateway._service.database.dsn) as db:
        db.execute("alter table submission disable trigger user")
        try:
            db.execute(
                "update submission set state = 'released', outcome = 'approve', released_sha256 = sha256 where id = %s",
                (old["id"],),
            )
            assert http.get(released).content == SCRIPT
            db.execute(
                "update submission set state = 'superseded', superseded_by = %s where id = %s", (new["id"], old["id"])
            )
        finally:
            db.execute("alter table submission enable trigger user")
    refused = http.get(released)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-released")
    assert new["id"] in refused.json()["detail"]
    assert http.get(old["links"]["media"]).content == SCRIPT, "what was submitted stays to be seen"


@pytest.mark.database
def test_one_submission_is_screened_again_once_at_a_time(http: httpx.Client, script: str) -> None:
    old = submit(http, script).json()["links"]["self"]
    start = threading.Barrier(4)

    def rescreen(_: int) -> httpx.Response:
        start.wait()
        return http.post(f"{old}/rescreen", headers=key())

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(rescreen, range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"wrong-state"}
    (first,) = [a for a in answers if a.status_code == 202]
    gone = http.post(f"{first.headers['Location']}/withdraw", headers=key())
    state = http.get(old).json()["state"]
    again = http.post(f"{old}/rescreen", headers=key())
    if state == "superseded":  # the first was decided before it could be withdrawn
        assert again.status_code == 409
    else:
        assert (gone.json()["state"], again.status_code) == ("withdrawn", 202)


@pytest.mark.database
def test_a_file_that_is_not_what_it_claims_fails_and_says_why(http: httpx.Client) -> None:
    sha256 = http.post("/v1/uploads", content=b"this is no film").json()["sha256"]
    answer = submit(http, sha256, file_name="film.mp4")
    assert (answer.status_code, answer.json()["state"], answer.json()["outcome"]) == (200, "failed", None)
    assert answer.json()["failure"]["code"] == "unusable"
    assert "film.mp4" in answer.json()["failure"]["detail"]
    verdict = http.get(f"/v1/submissions/{answer.json()['id']}/verdict")
    assert (verdict.status_code, verdict.json()["code"]) == (409, "failed")


def read_events(http: httpx.Client, submission: str, last: str | None = None) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, event, data) of every event up to the verdict."""
    headers = {} if last is None else {"Last-Event-ID": last}
    found, current = [], {}
    with http.stream("GET", f"/v1/submissions/{submission}/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name:
                current[name] = value
            elif current:
                found.append((current["id"], current["event"], json.loads(current["data"])))
                if current["event"] == "verdict":
                    return found
                current = {}
    return found


@pytest.mark.database
def test_events_tell_the_whole_story_live_and_from_wherever_one_left(http: httpx.Client, script: str) -> None:
    made = http.post("/v1/submissions", json={"sha256": script}, headers=key()).json()["id"]
    live = read_events(http, made)
    states = [data["state"] for _, kind, data in live if kind == "state"]
    assert states[:3] == ["received", "verifying", "screening"]
    assert states[-1] == http.get(f"/v1/submissions/{made}").json()["state"]
    assert read_events(http, made) == live
    assert read_events(http, made, last=live[1][0]) == live[2:]


# Media.


@pytest.mark.database
def test_a_file_is_served_in_ranges_by_what_it_is(http: httpx.Client, decided: str) -> None:
    at = f"/v1/submissions/{decided}/media"
    whole = http.get(at)
    assert (whole.status_code, whole.content) == (200, SCRIPT)
    assert whole.headers["content-type"].startswith("text/plain")
    assert whole.headers["content-disposition"].startswith("attachment"), (
        "only films, sounds and pictures open in place"
    )
    etag = whole.headers["etag"]
    part = http.get(at, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, SCRIPT[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(SCRIPT)}"
    assert http.get(at, headers={"Range": "bytes=5-9", "If-Range": '"other"'}).status_code == 200
    assert http.get(at, headers={"If-None-Match": etag}).status_code == 304
    beyond = http.get(at, headers={"Range": "bytes=9999-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(SCRIPT)}")
    assert beyond.json()["code"] == "range-not-satisfiable"
    assert http.get(at, headers={"Range": "lines=1-2"}).status_code == 200
    head = http.head(at)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(SCRIPT)), b"")


@pytest.fixture(scope="module")
def ranged(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    path = tmp_path_factory.mktemp("ranged") / "file"
    path.write_bytes(bytes(range(100)))
    return TestClient(Starlette(routes=[Route("/", lambda _: _InRanges(path))]))


@settings(max_examples=60)
@given(first=st.none() | st.integers(0, 120), last=st.none() | st.integers(0, 120))
def test_a_range_is_what_slicing_says(ranged: TestClient, first: int | None, last: int | None) -> None:
    written = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    whole = bytes(range(100))
    if not _ranges(written):
        expected = whole
        assert first is None and last is None or first is not None and last is not None and last < first  # noqa: RUF021
    elif first is None:
        expected = whole[-last:] if last else b""
    else:
        expected = whole[first:] if last is None else whole[first : last + 1]
    if expected:
        assert ranged.get("/", headers={"Range": written}).content == expected


# Text.


@pytest.mark.database
def test_a_text_is_judged_by_what_is_in_it(http: httpx.Client) -> None:
    clean = http.post("/v1/checks/text", json={"text": "今天吃面。"}).json()
    assert clean == {"text": "今天吃面。", "findings": [], "outcome": "approve", "reasons": []}
    lure = http.post("/v1/checks/text", json={"text": "加微信 abc12345 领红包"}).json()
    assert lure["outcome"] == "hold"
    for found in lure["findings"]:
        assert lure["text"][found["start"] : found["end"]] == found["matched"]


# The console, and who may enter.


@pytest.mark.database
def test_the_link_opens_the_console_for_this_origin_only(gateway: Gateway) -> None:
    with httpx.Client(base_url=gateway.url) as browser:
        assert browser.get("/v1/submissions").status_code == 401
        entered = browser.get(gateway.console_url.removeprefix(gateway.url))
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert browser.get("/v1/submissions").status_code == 200
        elsewhere = browser.post("/v1/checks/text", json={"text": "x"}, headers={"Origin": "http://evil.example"})
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "cross-site")
        assert browser.post("/v1/checks/text", json={"text": "x"}).status_code == 403
        for same in ({"Origin": gateway.url}, {"Sec-Fetch-Site": "same-origin"}):
            assert browser.post("/v1/checks/text", json={"text": "x"}, headers=same).status_code == 200
        left = browser.request("DELETE", "/session")
        assert left.status_code == 204
        assert browser.get("/v1/submissions").status_code == 401
        assert browser.get("/?token=made-up").json()["code"] == "unauthenticated"


@pytest.mark.database
def test_every_answer_carries_strict_headers(http: httpx.Client) -> None:
    for path in ("/", "/some/page", "/v1/submissions", "/v1/nothing", "/metrics"):
        headers = http.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers
    assert http.get("/v1/submissions").headers["cache-control"] == "no-store"


@pytest.mark.database
@pytest.mark.parametrize("path", ["/.env", "/assets/../../settings.py", "/%2e%2e/%2e%2e/etc/passwd", "/api-key.txt"])
def test_the_console_serves_its_own_files_only(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404 or "text/html" in answer.headers["content-type"]
    assert "root:" not in answer.text
    assert "DRAMAGATE" not in answer.text


@pytest.mark.database
def test_operators_see_health_and_the_queue(http: httpx.Client, gateway: Gateway, decided: str) -> None:
    assert http.get("/healthz").json() == {"ok": True}
    assert http.get("/readyz").status_code == 200
    text = httpx.get(f"{gateway.url}/metrics").text
    assert re.search(r'^dramagate_jobs\{state="done"\} \d', text, re.MULTILINE)
    assert re.search(r'^dramagate_http_requests_total\{method="GET",status="200"\} \d', text, re.MULTILINE)


@pytest.mark.database
def test_a_taken_port_is_said_before_anything_starts(gateway: Gateway, tmp_path: Path) -> None:
    port = int(gateway.url.rpartition(":")[2])
    with (
        pytest.raises(Unavailable, match=rf"127.0.0.1 port {port} cannot be listened on: Address already in use; stop"),
        running_gateway(Settings(tmp_path / "home"), port=port),
    ):
        pass
    assert not (tmp_path / "home").exists()


@pytest.mark.database
def test_a_second_gateway_on_the_same_home_is_refused(gateway: Gateway) -> None:
    home = gateway._service.settings.home
    with (
        pytest.raises(Unavailable, match=r"another gateway is running on .*: stop it"),
        running_gateway(Settings(home)),
    ):
        pass


@pytest.mark.database
def test_the_example_in_the_documentation_runs(gateway: Gateway, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    film = tmp_path / "episode-1.fountain"
    film.write_bytes(SCRIPT)
    told = {"GATEWAY": gateway.url, "API_KEY": gateway.api_key, "FILM": str(film)}
    done = subprocess.run([sys.executable, "-c", example], env=told, capture_output=True, text=True, timeout=120)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.strip() in ("approve", "segment", "hold", "reject")


def test_every_address_of_the_documentation_exists(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text("utf-8")
    described = create_app(Settings(tmp_path), "postgresql://nobody@127.0.0.1:1/none").openapi()["paths"]
    for name in re.findall(r"…(/[a-z]+)", page):
        assert any(path.startswith("/v1/submissions/{submission_id}" + name) for path in described), name
    for code in CATALOGUE:
        assert re.fullmatch(r"[a-z-]+", code)
