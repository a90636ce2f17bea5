"""Files on their way in: whole (raw or multipart), or in pieces that survive a lost connection (tus 1.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from review import ids, store
from review.api.auth import Asking, Principal
from review.api.problems import DOCUMENTED, Problem
from review.api.service import Service, service_of
from review.api.words import FileName, plain
from review.blobs import PIECE_BYTES, SHA256, Arriving, TooLarge, WrongDigest
from review.sniff import media_type_of

Json = dict[str, Any]
TUS = "1.0.0"
EXTENSIONS = "creation,checksum,expiration"
KEPT = timedelta(hours=24)
"""How long an unfinished upload waits for its next piece."""
UPLOAD_ID = re.compile(rf"upl_{ids.BODY}")

router = APIRouter(tags=["uploads"], responses=DOCUMENTED)


class Announced(BaseModel):
    """A file somebody is about to send."""

    model_config = ConfigDict(extra="forbid")
    sha256: str = Field(pattern=SHA256.pattern.join(("^", "$")))
    size: int = Field(ge=1)
    file_name: FileName = "unnamed"


@router.post(
    "/v1/uploads",
    status_code=201,
    response_model=None,
    openapi_extra={
        "requestBody": {
            "description": "The bytes themselves; or multipart/form-data with one file; or, to ask whether they are "
            "needed at all, JSON. With `Tus-Resumable` and `Upload-Length`: begin a resumable upload.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "video/mp4": {"schema": {"type": "string", "format": "binary"}},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}, "sha256": {"type": "string"}},
                        "required": ["file"],
                    }
                },
                "application/json": {"schema": Announced.model_json_schema()},
            },
        }
    },
    responses={200: {"description": "Already here: nothing need be sent."}},
)
async def take_upload(
    request: Request,
    asking: Asking,
    sha256: Annotated[str | None, Query(pattern=f"^{SHA256.pattern}$", description="Of the whole file.")] = None,
    file_name: Annotated[FileName | None, Query(description="What to call it.")] = None,
) -> Response:
    """Keep a file by its content. 201 with its id and digest; 200 where these bytes are here already."""
    service = service_of(request)
    if "upload-length" in request.headers or "tus-resumable" in request.headers:
        return await _begin_resumable(service, asking, request)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"application/json":
        return await _announce(service, asking, request)
    expected = sha256 or _digest_header(request)
    _refuse_large(service, request)
    with service.blobs.receive(service.settings.upload_limit_bytes) as arriving:
        try:
            if kind == b"multipart/form-data":
                form = _Form(options.get(b"boundary"), arriving)
                await _pour(request.stream(), form.feed)
                form.finish()
                expected, file_name = expected or form.sha256, file_name or form.file_name
            else:
                await _pour(request.stream(), arriving.write)
            if arriving.size_bytes == 0:
                raise Problem("invalid-request", "the file is empty: send it again")
            media_type = await run_in_threadpool(_sniffed, arriving)
            kept = await run_in_threadpool(arriving.keep, expected)
        except TooLarge as large:
            raise Problem("too-large", str(large)) from large
        except WrongDigest as wrong:
            raise Problem("digest-mismatch", str(wrong)) from wrong
        except ClientDisconnect as gone:
            raise Problem("bad-request", "the connection ended before the file did: send it again") from gone
    row = await run_in_threadpool(
        _record, service, asking.tenant, kept, arriving.size_bytes, plain(file_name or "unnamed"), media_type
    )
    return JSONResponse(_shown(row), 201, headers={"Location": f"/v1/uploads/{row['id']}"})


@router.get("/v1/uploads/{upload_id}")
def show_upload(request: Request, asking: Asking, upload_id: str) -> Json:
    """What is known of an upload."""
    with service_of(request).database.as_tenant(asking.tenant) as db:
        return _shown(_found(db, upload_id))


# tus 1.0: core, creation, checksum, expiration.


@router.options("/v1/uploads", status_code=204)
@router.options("/v1/uploads/{upload_id}", status_code=204)
def tus_options(request: Request) -> Response:
    """What of tus is spoken here."""
    return Response(
        status_code=204,
        headers={
            "Tus-Resumable": TUS,
            "Tus-Version": TUS,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(service_of(request).settings.upload_limit_bytes),
            "Tus-Checksum-Algorithm": "sha256,sha1",
        },
    )


@router.head("/v1/uploads/{upload_id}", status_code=200)
def tus_head(request: Request, asking: Asking, upload_id: str) -> Response:
    """How much of the file has arrived."""
    with service_of(request).database.as_tenant(asking.tenant) as db:
        row = _found(db, upload_id)
    return Response(status_code=200, headers={**_tus_headers(row), "Cache-Control": "no-store"})


@router.patch(
    "/v1/uploads/{upload_id}",
    status_code=204,
    openapi_extra={
        "requestBody": {
            "content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        }
    },
)
async def tus_patch(request: Request, asking: Asking, upload_id: str) -> Response:
    """The next piece of the file."""
    service = service_of(request)
    _speak_tus(request)
    if request.headers.get("content-type") != "application/offset+octet-stream":
        raise Problem("unsupported-media-type", "a piece of a file is sent as application/offset+octet-stream")
    offset = _whole(request, "upload-offset")
    algorithm, expected = _checksum(request)
    with _alone(service, upload_id):
        row = await run_in_threadpool(_load, service, asking.tenant, upload_id)
        if row["sha256"] is not None or offset != row["received_bytes"]:
            raise Problem("upload-offset", f"the upload continues at byte {row['received_bytes']}, not at {offset}")
        if row["expires_at"] is not None and row["expires_at"] < datetime.now(UTC):
            raise Problem("upload-expired", "nothing came for a day, so it was dropped: begin again")
        received = await _append(service, request, row, algorithm, expected)
        row = await run_in_threadpool(_advance, service, asking.tenant, row, received)
    return Response(status_code=204, headers=_tus_headers(row))


async def _begin_resumable(service: Service, asking: Principal, request: Request) -> Response:
    _speak_tus(request)
    size = _whole(request, "upload-length")
    if size > service.settings.upload_limit_bytes:
        raise Problem("too-large", f"at most {service.settings.upload_limit_bytes} bytes are taken in: split the file")
    if size == 0:
        raise Problem("invalid-request", "Upload-Length is 0: the file is empty, send it again")
    told = _tus_metadata(request.headers.get("upload-metadata", ""))
    expected = told.get("sha256")
    if expected is not None and not SHA256.fullmatch(expected):
        raise Problem("invalid-request", "Upload-Metadata: sha256 is 64 lower-case hex digits")
    row = await run_in_threadpool(
        _begin, service, asking.tenant, size, plain(told.get("filename", "unnamed")), expected
    )
    return JSONResponse(_shown(row), 201, headers={**_tus_headers(row), "Location": f"/v1/uploads/{row['id']}"})


async def _announce(service: Service, asking: Principal, request: Request) -> Response:
    try:
        told = Announced.model_validate_json(await request.body())
    except ValidationError as wrong:
        first = wrong.errors()[0]
        code = "malformed-json" if first["type"] == "json_invalid" else "invalid-request"
        where = "/" + "/".join(str(p) for p in first["loc"])
        raise Problem(code, f"{where}: {first['msg']}") from wrong
    if told.size > service.settings.upload_limit_bytes:
        raise Problem("too-large", f"at most {service.settings.upload_limit_bytes} bytes are taken in: split the file")
    known = await run_in_threadpool(_known, service, asking.tenant, told.sha256)
    if known is not None:
        return JSONResponse({**_shown(known), "already_have": True}, 200)
    row = await run_in_threadpool(_begin, service, asking.tenant, told.size, plain(told.file_name), told.sha256)
    answer = {**_shown(row), "already_have": False, "upload_url": f"/v1/uploads/{row['id']}"}
    return JSONResponse(answer, 201, headers={**_tus_headers(row), "Location": f"/v1/uploads/{row['id']}"})


async def _append(service: Service, request: Request, row: Json, algorithm: str | None, expected: bytes) -> int:
    """Write the piece after what is there; how much is there now, on disk for good.

    With a checksum the piece counts whole or not at all; without one whatever arrived counts.
    """
    path = _part(service, row["id"])
    digest = hashlib.new(algorithm or "sha256", usedforsecurity=False)
    start = position = int(row["received_bytes"])
    gone = False
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(start)  # a piece that never was acknowledged
        file.seek(start)

        def write(piece: bytes) -> None:
            nonlocal position
            if position + len(piece) > row["size_bytes"]:
                raise Problem("too-large", f"more came than the {row['size_bytes']} bytes announced: begin again")
            digest.update(piece)
            file.write(piece)
            position += len(piece)

        try:
            await _pour(request.stream(), write)
        except ClientDisconnect:
            gone = True
        except Problem:
            file.truncate(start)
            raise
        if algorithm is not None and (gone or digest.digest() != expected):
            file.truncate(start)
            raise Problem("checksum-mismatch", f"the piece was not kept: send it again from byte {start}")
        file.flush()
        await run_in_threadpool(os.fsync, file.fileno())
    return position


def _advance(service: Service, tenant: str, row: Json, received: int) -> Json:
    """Remember what has arrived; once that is all, check it and make it a blob."""
    part = _part(service, row["id"])
    if received < row["size_bytes"]:
        with service.database.as_tenant(tenant) as db:
            store.advance_upload(db, row["id"], received)
            return _found(db, row["id"])
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if row["expected_sha256"] not in (None, sha256):
        with service.database.as_tenant(tenant) as db:
            store.forget_upload(db, row["id"])
        part.unlink()
        raise Problem(
            "digest-mismatch",
            f"the bytes that arrived have SHA-256 {sha256}, announced was {row['expected_sha256']}: send again",
        )
    media_type = media_type_of(part)
    service.blobs.adopt(part, sha256)
    with service.database.as_tenant(tenant) as db:
        store.complete_upload(db, row["id"], sha256, media_type)
        return _found(db, row["id"])


# What is known.


def _record(service: Service, tenant: str, sha256: str, size: int, file_name: str, media_type: str) -> Json:
    with service.database.as_tenant(tenant) as db:
        return store.add_upload(db, tenant, sha256=sha256, size_bytes=size, file_name=file_name, media_type=media_type)


def _begin(service: Service, tenant: str, size: int, file_name: str, expected: str | None) -> Json:
    _part(service, "x").parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    drop_expired(service, tenant)
    with service.database.as_tenant(tenant) as db:
        return store.begin_upload(
            db, tenant, size_bytes=size, file_name=file_name, expected=expected, expires_at=datetime.now(UTC) + KEPT
        )


def _known(service: Service, tenant: str, sha256: str) -> Json | None:
    with service.database.as_tenant(tenant) as db:
        row = store.uploaded(db, sha256=sha256)
    return row if row is not None and sha256 in service.blobs else None


def _load(service: Service, tenant: str, upload_id: str) -> Json:
    with service.database.as_tenant(tenant) as db:
        return _found(db, upload_id)


def _found(db: Any, upload_id: str) -> Json:
    row = store.upload(db, upload_id) if UPLOAD_ID.fullmatch(upload_id) else None
    if row is None:
        raise Problem("not-found", f"there is no upload {plain(upload_id)}")
    return row


def _shown(row: Json) -> Json:
    return {
        "id": row["id"],
        "sha256": row["sha256"],
        "size": row["size_bytes"],
        "offset": row["received_bytes"],
        "complete": row["sha256"] is not None,
        "file_name": row["file_name"],
        "media_type": row["media_type"] or None,
        "created_at": row["created_at"].isoformat(),
        "expires_at": None if row["expires_at"] is None else row["expires_at"].isoformat(),
    }


# Bytes.


async def _pour(stream: AsyncIterator[bytes], write: Any) -> None:
    """Hand the stream to `write` in pieces large enough that a thread is worth it."""
    held = bytearray()
    try:
        async for piece in stream:
            held += piece
            if len(held) >= PIECE_BYTES:
                await run_in_threadpool(write, bytes(held))
                held.clear()
    except ClientDisconnect:
        if held:
            await run_in_threadpool(write, bytes(held))  # what arrived before it broke off
        raise
    if held:
        await run_in_threadpool(write, bytes(held))


class _Form:
    """Takes the one file, and `sha256`, out of a multipart body as it arrives."""

    def __init__(self, boundary: bytes | None, arriving: Arriving) -> None:
        if not boundary:
            raise Problem("bad-request", "multipart/form-data needs a boundary")
        self.file_name: str | None = None
        self._fields: dict[str, bytearray] = {}
        self._arriving = arriving
        self._header, self._value = b"", b""
        self._disposition = b""
        self._in_file, self._files, self._name = False, 0, ""
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._more_header(data[start:end]),
                "on_header_value": lambda data, start, end: self._more_value(data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": lambda data, start, end: self._data(data[start:end]),
                "on_end": self._end,
            },
        )

    @property
    def sha256(self) -> str | None:
        """The digest announced in a field beside the file."""
        told = self._fields.get("sha256")
        if told is None:
            return None
        text = told.decode("ascii", "replace").strip()
        if not SHA256.fullmatch(text):
            raise Problem("invalid-request", "the field sha256 is 64 lower-case hex digits")
        return text

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body."""
        try:
            self._parser.write(piece)
        except ValueError as wrong:
            raise Problem("bad-request", f"the multipart body cannot be read: {wrong}") from wrong

    def finish(self) -> None:
        """Raise Problem unless exactly one file came whole."""
        if not self._complete:
            raise Problem("bad-request", "the multipart body ends before its last boundary: send it again")
        if self._files != 1:
            raise Problem("invalid-request", f"the body holds {self._files} files; send one, as the part `file`")

    def _begin(self) -> None:
        self._disposition, self._header, self._value = b"", b"", b""

    def _more_header(self, data: bytes) -> None:
        self._header += data

    def _more_value(self, data: bytes) -> None:
        self._value += data

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._in_file = b"filename" in options or self._name == "file"
        if self._in_file:
            self._files += 1
            if self._files > 1:
                raise Problem("invalid-request", "the body holds several files; send one, as the part `file`")
            self.file_name = options.get(b"filename", b"unnamed").decode("utf-8", "replace")

    def _data(self, data: bytes) -> None:
        if self._in_file:
            self._arriving.write(data)
            return
        held = self._fields.setdefault(self._name, bytearray())
        held += data
        if len(held) > 1024 or len(self._fields) > 16:
            raise Problem("too-large", "the fields beside the file are too large")

    def _end(self) -> None:
        self._complete = True


def _sniffed(arriving: Arriving) -> str:
    arriving.file.flush()
    return media_type_of(arriving.path)


def _part(service: Service, upload_id: str) -> Path:
    return service.blobs.root / "parts" / upload_id


@contextmanager
def _alone(service: Service, upload_id: str) -> Iterator[None]:
    if upload_id in service.writing:
        raise Problem(
            "upload-locked", "another request is writing to this upload: wait for it, then ask for the offset"
        )
    service.writing.add(upload_id)
    try:
        yield
    finally:
        service.writing.discard(upload_id)


def drop_expired(service: Service, tenant: str) -> int:
    """Unfinished uploads nobody continued are forgotten; how many."""
    with service.database.as_tenant(tenant) as db:
        dropped = store.drop_expired_uploads(db)
    for upload_id in dropped:
        _part(service, upload_id).unlink(missing_ok=True)
    return len(dropped)


# Headers.


def _refuse_large(service: Service, request: Request) -> None:
    announced = request.headers.get("content-length", "")
    limit = service.settings.upload_limit_bytes
    if announced.isdecimal() and int(announced) > limit + 65536:  # a multipart body is a little more than its file
        raise Problem("too-large", f"{announced} bytes were announced, at most {limit} are taken in: split the file")


def _digest_header(request: Request) -> str | None:
    """X-Content-SHA256 in hex, or the sha-256 of Content-Digest or Repr-Digest (RFC 9530)."""
    plain_hex = request.headers.get("x-content-sha256")
    if plain_hex is not None:
        if not SHA256.fullmatch(plain_hex):
            raise Problem("invalid-request", "X-Content-SHA256 is 64 lower-case hex digits")
        return plain_hex
    given = request.headers.get("content-digest") or request.headers.get("repr-digest") or ""
    found = re.search(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):", given)
    if found is None:
        return None
    return _base64(found[1], "Content-Digest").hex()


def _speak_tus(request: Request) -> None:
    if request.headers.get("tus-resumable") != TUS:
        raise Problem("tus-version", f"send Tus-Resumable: {TUS}", headers={"Tus-Version": TUS})


def _whole(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not text.isdecimal() or len(text) > 18:
        raise Problem("invalid-request", f"the header {name} is a whole number of bytes")
    return int(text)


def _checksum(request: Request) -> tuple[str | None, bytes]:
    given = request.headers.get("upload-checksum")
    if given is None:
        return None, b""
    algorithm, _, value = given.partition(" ")
    if algorithm not in ("sha256", "sha1"):
        raise Problem("invalid-request", "Upload-Checksum is `sha256 <base64>` or `sha1 <base64>`")
    return algorithm, _base64(value, "Upload-Checksum")


def _tus_metadata(text: str) -> dict[str, str]:
    told = {}
    for pair in filter(None, (p.strip() for p in text.split(","))):
        key, _, value = pair.partition(" ")
        told[key] = _base64(value, "Upload-Metadata").decode("utf-8", "replace")
    return told


def _base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Problem("invalid-request", f"{where} holds something that is not base64") from None


def _tus_headers(row: Json) -> dict[str, str]:
    headers = {
        "Tus-Resumable": TUS,
        "Upload-Offset": str(row["received_bytes"]),
        "Upload-Length": str(row["size_bytes"]),
    }
    if row["expires_at"] is not None:
        headers["Upload-Expires"] = row["expires_at"].strftime("%a, %d %b %Y %H:%M:%S GMT")
    return headers
