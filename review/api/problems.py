"""Every way the API says no: RFC 9457 problem details with stable codes, catalogued at /problems/{code}."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from provenance.failure import Unavailable

MEDIA_TYPE = "application/problem+json"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its HTTP status and what it is about, for every occurrence the same."""

    status: int
    title: str


CATALOGUE: dict[str, Kind] = {
    "malformed-json": Kind(400, "The body is not JSON"),
    "idempotency-key-required": Kind(400, "This request needs an Idempotency-Key header"),
    "bad-request": Kind(400, "The request cannot be understood"),
    "unauthenticated": Kind(401, "No valid API key or session"),
    "cross-site": Kind(403, "A session cookie cannot be used from another site"),
    "not-found": Kind(404, "There is nothing here"),
    "method-not-allowed": Kind(405, "This address does not take this method"),
    "in-progress": Kind(409, "A request with this Idempotency-Key is still running"),
    "not-decided": Kind(409, "There is no verdict yet"),
    "failed": Kind(409, "No verdict could be reached"),
    "not-released": Kind(409, "Nothing was released"),
    "wrong-state": Kind(409, "The submission is not in a state for this"),
    "upload-offset": Kind(409, "The upload continues elsewhere"),
    "upload-expired": Kind(410, "The upload has expired"),
    "tus-version": Kind(412, "This version of tus is not spoken here"),
    "too-large": Kind(413, "More than is taken in"),
    "unsupported-media-type": Kind(415, "The body is of a type not taken here"),
    "range-not-satisfiable": Kind(416, "The file has no such range"),
    "invalid-request": Kind(422, "The request does not fit its description"),
    "invalid-papers": Kind(422, "The papers do not fit their schema"),
    "unknown-asset": Kind(422, "The file has not been uploaded"),
    "unknown-rulebook": Kind(422, "No such rulebook, or none for this territory"),
    "idempotency-key-reused": Kind(422, "This Idempotency-Key came with another body before"),
    "digest-mismatch": Kind(422, "The bytes are not the ones announced"),
    "upload-locked": Kind(423, "Another request is writing to this upload"),
    "checksum-mismatch": Kind(460, "The piece is not the one its checksum announced"),
    "internal": Kind(500, "A fault of ours"),
    "unavailable": Kind(503, "Something we need does not answer"),
}

_BY_STATUS = {
    400: "bad-request",
    401: "unauthenticated",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
}


class Problem(HTTPException):
    """One occurrence of a problem. `detail` is one sentence: what, where, what to do."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Json] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(CATALOGUE[code].status, detail, dict(headers or {}))
        self.code = code
        self.errors = tuple(errors)


DOCUMENTED: dict[int | str, Json] = {
    "4XX": {
        "description": "The request cannot be done as it is; `code` says why.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
    "5XX": {
        "description": "Not the request's fault; 503 is worth trying again after Retry-After.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}
SCHEMA: Json = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "trace_id"],
    "properties": {
        "type": {"type": "string", "description": "/problems/{code}"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "enum": sorted(CATALOGUE)},
        "trace_id": {"type": "string", "description": "Also in the X-Request-Id header and in our logs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON Pointer into the body, or a parameter's name."},
                    "code": {"type": "string"},
                    "message": {
                        "type": "object",
                        "required": ["zh", "en"],
                        "properties": {"zh": {"type": "string"}, "en": {"type": "string"}},
                    },
                },
            },
        },
    },
}


def install(app: FastAPI) -> None:
    """Every foreseen error of `app` is a problem document from here on; guard.py sees to the others."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Unavailable, _of_unavailable)


def response(request: Request, problem: Problem) -> Response:
    """`problem` as it goes over the wire."""
    kind = CATALOGUE[problem.code]
    document: Json = {
        "type": f"/problems/{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "instance": request.scope.get("raw_path", b"").decode("ascii", "replace") or request.url.path,
        "code": problem.code,
        "trace_id": trace_id(request),
    }
    if problem.errors:
        document["errors"] = list(problem.errors)
    return JSONResponse(document, kind.status, headers=problem.headers, media_type=MEDIA_TYPE)


def trace_id(request: Request) -> str:
    """The id of this request, the same in its problem, its response header and our logs."""
    return str(request.scope.get("dramagate.trace_id") or secrets.token_hex(8))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    if isinstance(error, Problem):
        return response(request, error)
    if error.status_code == 400 and "parsing the body" in str(error.detail):
        return response(
            request, Problem("malformed-json", "the body cannot be read as JSON: check its syntax and depth")
        )
    code = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal")
    told = {
        "not-found": f"nothing answers at {request.url.path}: /openapi.json lists every address",
        "method-not-allowed": f"{request.url.path} does not take {request.method}: /openapi.json says what it takes",
    }
    return response(request, Problem(code, told.get(code, str(error.detail)), headers=error.headers))


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        where = found[0]["loc"][-1]
        return response(request, Problem("malformed-json", f"the body is not JSON: a mistake at character {where}"))
    errors = [_told(e) for e in found[:50]]
    first = errors[0]
    detail = f"{first['pointer'] or 'the body'}: {first['message']['en']}"
    if len(found) > 1:
        detail += f" (and {len(found) - 1} more)"
    return response(request, Problem("invalid-request", detail, errors=errors))


async def _of_unavailable(request: Request, error: Exception) -> Response:
    return response(request, Problem("unavailable", f"{error}: try again", headers={"Retry-After": "1"}))


def _told(error: Mapping[str, Any]) -> Json:
    where, *path = error["loc"]
    pointer = "".join(f"/{_escaped(p)}" for p in path) if where == "body" else str(path[0] if path else where)
    en = str(error["msg"]).removeprefix("Value error, ")
    zh = _ZH.get(error["type"], "不符合要求：{en}").format(en=en, **error.get("ctx", {}))
    return {"pointer": pointer, "code": error["type"], "message": {"zh": zh, "en": en}}


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


_ZH = {
    "missing": "缺少此项",
    "extra_forbidden": "不认识此项，请删除或检查拼写",
    "string_type": "应为字符串",
    "int_parsing": "应为整数",
    "list_type": "应为数组",
    "dict_type": "应为对象",
    "model_attributes_type": "请求体应为 JSON 对象（Content-Type: application/json）",
    "string_too_long": "最多 {max_length} 个字符",
    "string_too_short": "至少 {min_length} 个字符",
    "too_long": "最多 {max_length} 项",
    "string_pattern_mismatch": "格式应符合 {pattern}",
    "literal_error": "只能是 {expected}",
    "greater_than_equal": "不得小于 {ge}",
    "less_than_equal": "不得大于 {le}",
    "timezone_aware": "时间须带时区",
    "datetime_from_date_parsing": "应为带时区的时间（RFC 3339）",
}
