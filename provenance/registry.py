"""Who and what is registered: persons, consents, works, licences, series, negatives; and the papers of an episode.

A registry is a directory of JSON records (schemas under provenance/schemas/) with the reference pictures, films
and recordings they name:

    persons/*.json  consents/*.json  works/*.json  licences/*.json  series/*.json  negatives/*.json
    references/ab/abcd....png      files taken in by `add_record`, named by what they contain

One record per file. A path in a record counts from the registry's root, or from the record's own folder; it may
not lead out of the registry. A registry that is wrong anywhere is refused whole.
"""

from __future__ import annotations

import datetime as dt
import difflib
import fcntl
import functools
import hashlib
import importlib.resources
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

from provenance import media
from provenance.asset import digest
from provenance.failure import ConfigError, Refused
from provenance.files import replacing, sync

MAX_RECORD_BYTES = 4 << 20
"""Records and papers: the fullest ones of the tests are under 40 kB."""
MAX_DEPTH = 32

KINDS = {
    "persons": "person", "consents": "consent", "works": "work", "licences": "rights", "series": "series",
    "negatives": "negative",
}  # fmt: skip
"""Folder of a registry -> schema of its records."""


class RegistryError(ConfigError):
    """A record cannot be used. The message says which file, where in it, what is wrong, what would be right."""


class PapersError(Refused):
    """Papers cannot be used. The message says which file, where in it, what is wrong, what would be right."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One file a record names, resolved to where it lies."""

    path: Path
    kind: str
    """face | voice | picture | video | audio | text | subtitle."""
    start_us: int | None = None
    end_us: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A real person whose face or voice is matched (person.schema.json)."""

    id: str
    kind: str
    references: tuple[Reference, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """A work, character, mark or sound that is protected (work.schema.json)."""

    id: str
    kind: str
    title: str
    references: tuple[Reference, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything registered. Empty by default; consents and licences stay as their validated records."""

    root: Path | None = None
    persons: Mapping[str, Person] = field(default_factory=dict)
    works: Mapping[str, Work] = field(default_factory=dict)
    consents: tuple[Mapping[str, Any], ...] = ()
    licences: tuple[Mapping[str, Any], ...] = ()
    series: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    negatives: tuple[Mapping[str, Any], ...] = ()
    digest: str = ""
    """SHA-256 over all records in order of id: the registry snapshot a verdict names."""


def load(root: Path) -> Registry:
    """The registry at `root`, every record validated and every reference file found and compared with its digest.

    Raises RegistryError for the first thing that is wrong: not JSON, against its schema, an id used twice, a
    reference that is missing, leads out of the registry, or is not the file its digest names.
    """
    if not root.is_dir():
        raise RegistryError(f"{root}: is not a folder; name a registry, or make one with `dramagate registry add`")
    _refuse_misspelt_folders(root)
    digests = _Digests(root)
    held: dict[str, dict[str, dict[str, Any]]] = {}
    references: dict[tuple[str, str], tuple[Reference, ...]] = {}
    snapshot = hashlib.sha256()
    for folder in KINDS:
        held[folder] = {}
        files: dict[str, Path] = {}
        for path in _record_files(root, folder):
            record = _record(path, folder)
            if record["id"] in files:
                first = files[record["id"]]
                raise RegistryError(
                    f"{path}: /id: {record['id']!r} is used by {first} too; give each record its own id"
                )
            files[record["id"]] = path
            held[folder][record["id"]] = record
        for name in sorted(held[folder]):
            record = held[folder][name]
            found = _references(root, files[name], folder, record, digests)
            references[folder, name] = tuple(reference for reference, _ in found)
            line = {"kind": folder, "record": record, "references": [sha256 for _, sha256 in found]}
            snapshot.update(_canonical(line) + b"\n")
    digests.keep()
    return Registry(
        root=root,
        persons={name: Person(name, r["kind"], references["persons", name], r) for name, r in held["persons"].items()},
        works={
            name: Work(name, r["kind"], r["title"], references["works", name], r) for name, r in held["works"].items()
        },
        consents=tuple(held["consents"].values()),
        licences=tuple(held["licences"].values()),
        series=held["series"],
        negatives=tuple(held["negatives"].values()),
        digest=snapshot.hexdigest(),
    )


def add_person(
    root: Path,
    id: str,  # noqa: A002  the records call it so
    *,
    kind: str,
    names: Mapping[str, Any],
    photos: Sequence[Path],
    voices: Sequence[Path] = (),
) -> Path:
    """Enrol a person with reference photos and recordings, which are copied in; where the record lies.

    Raises RegistryError, and stores nothing, where the id is taken, a field breaks the schema, or a file is no picture
    or recording.
    """
    files = [{"path": str(path), "kind": "face"} for path in photos]
    files += [{"path": str(path), "kind": "voice"} for path in voices]
    return add_record(root, "persons", {"id": id, "kind": kind, "names": dict(names), "references": files})


def add_work(
    root: Path,
    id: str,  # noqa: A002  the records call it so
    *,
    kind: str,
    title: str,
    files: Sequence[Path],
    owner: str | None = None,
) -> Path:
    """Enrol a protected work with its files, which are copied in; where the record lies. Raises as `add_person`."""
    record: dict[str, Any] = {"id": id, "kind": kind, "title": title}
    record["references"] = [{"path": str(path)} for path in files]
    if owner is not None:
        record["owner"] = owner
    return add_record(root, "works", record)


def add_record(root: Path, kind: str, record: Mapping[str, Any], *, base: Path | None = None) -> Path:
    """Add one record of `kind` ("persons", "works", ...; the singular will do); where it lies.

    Reference files are named relative to `base` (by default the working folder), copied into the registry under the
    digest of their content, and the record names the copies. All or nothing. Raises RegistryError.
    """
    folder = _folder(kind)
    given = json.loads(json.dumps(dict(record)))
    where = f"the new record in {folder}"
    _validate(given, KINDS[folder], where, RegistryError)
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        for path in _record_files(root, folder):
            if _record(path, folder)["id"] == given["id"]:
                raise RegistryError(f"{path}: already holds {given['id']!r}; remove it first or choose another id")
        taken: list[Path] = []
        try:
            for index, reference in enumerate(given.get("references") or ()):
                _take_in(root, folder, index, reference, base or Path.cwd(), taken)
            target = root / folder / f"{_file_name(given['id'])}.json"
            target.parent.mkdir(exist_ok=True)
            with replacing(target) as fresh:
                fresh.write_text(json.dumps(given, ensure_ascii=False, indent=1) + "\n", "utf-8")
        except BaseException:
            for path in taken:
                path.unlink(missing_ok=True)
            raise
    return target


def remove(root: Path, id: str) -> None:  # noqa: A002  the records call it so
    """Delete the record `id` and those of its reference files that no other record names.

    Raises RegistryError with the nearest spelling where there is none.
    """
    with _locked(root):
        known: dict[str, Path] = {}
        for folder in KINDS:
            for path in _record_files(root, folder):
                known[_record(path, folder)["id"]] = path
        if id not in known:
            raise RegistryError(f"{root}: holds no record {id!r}; {_nearest(id, list(known))}")
        mine = _stored_references(known[id])
        known.pop(id).unlink()
        others = {name for path in known.values() for name in _stored_references(path)}
        for name in mine - others:
            (root / name).unlink(missing_ok=True)


def list_records(root: Path) -> list[dict[str, Any]]:
    """One row per record: kind (its folder), id, title (a person's name), references (how many).

    Raises RegistryError as `load` does.
    """
    held = load(root)
    rows: list[dict[str, Any]] = []
    for kind, records in (
        ("persons", [person.record for person in held.persons.values()]),
        ("consents", held.consents),
        ("works", [work.record for work in held.works.values()]),
        ("licences", held.licences),
        ("series", list(held.series.values())),
        ("negatives", held.negatives),
    ):
        rows += [
            {
                "kind": kind,
                "id": record["id"],
                "title": _shown_title(record),
                "references": len(record.get("references") or ()),
            }
            for record in records
        ]
    return rows


def load_papers(path: Path) -> dict[str, Any]:
    """The papers of one episode (episode.schema.json). Raises PapersError; what is absent is unknown, not wrong."""
    try:
        raw = _bounded(path)
    except OSError as error:
        raise PapersError(f"{path}: cannot be read ({error.strerror}); name a JSON file with the papers") from error
    return parse_papers(raw, str(path))


def parse_papers(raw: bytes, where: str) -> dict[str, Any]:
    """The papers in `raw`, which came from `where`. Raises PapersError."""
    papers = _parse(raw, where, PapersError)
    _validate(papers, "episode", where, PapersError)
    return papers


# --- below: reading a registry

_SUFFIX_KINDS = {
    "picture": ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic"),
    "video": ("mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "mpg", "mpeg", "flv"),
    "audio": ("wav", "mp3", "m4a", "flac", "ogg", "opus", "aac"),
    "subtitle": ("srt", "vtt", "ass"),
    "text": ("txt", "md", "json", "fountain"),
}


def _folder(kind: str) -> str:
    for folder, schema in KINDS.items():
        if kind in (folder, schema, folder.removesuffix("s")):
            return folder
    raise RegistryError(f"{kind!r} is not a kind of record; {_nearest(kind, list(KINDS))}")


def _refuse_misspelt_folders(root: Path) -> None:
    """A folder `person/` beside an empty `persons/` would be enrolled people nobody is compared with."""
    for entry in sorted(root.iterdir()):
        if entry.name in KINDS or entry.name.startswith("."):
            continue
        close = difflib.get_close_matches(entry.name.lower().removesuffix(".json"), list(KINDS), n=1, cutoff=0.75)
        if close and (entry.suffix == ".json" or (entry.is_dir() and any(entry.glob("*.json")))):
            raise RegistryError(f"{entry}: is not part of a registry; did you mean the folder {close[0]}/?")


def _record_files(root: Path, folder: str) -> list[Path]:
    place = root / folder
    if not place.exists():
        return []
    if not place.is_dir():
        raise RegistryError(f"{place}: must be a folder of JSON records")
    files = sorted(path for path in place.iterdir() if path.suffix == ".json" and not path.name.startswith("."))
    inside = root.resolve()
    for path in files:
        if not path.resolve().is_relative_to(inside):
            raise RegistryError(f"{path}: leads out of the registry to {path.resolve()}; copy the record in")
    return files


def _record(path: Path, folder: str) -> dict[str, Any]:
    try:
        raw = _bounded(path)
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read ({error.strerror})") from error
    record = _parse(raw, str(path), RegistryError)
    _validate(record, KINDS[folder], str(path), RegistryError)
    return record


def _references(
    root: Path, record_path: Path, folder: str, record: Mapping[str, Any], digests: _Digests
) -> list[tuple[Reference, str]]:
    found: list[tuple[Reference, str]] = []
    for index, entry in enumerate(record.get("references") or ()):
        where = f"{record_path}: /references/{index}"
        path = _inside(root, record_path, entry["path"], f"{where}/path")
        sha256 = digests.of(path)
        stated = entry.get("sha256")
        if stated is not None and stated.lower() != sha256:
            raise RegistryError(f"{where}/sha256: {path} has the digest {sha256}; the record names another file")
        kind = entry.get("kind") or _kind_of(path, folder, f"{where}/kind")
        found.append((Reference(path, kind, entry.get("start_us"), entry.get("end_us")), sha256))
    return found


def _inside(root: Path, record_path: Path, name: str, where: str) -> Path:
    """The file `name` leads to, which must lie in the registry."""
    if not name or "\0" in name:
        raise RegistryError(f"{where}: {name!r} is not a path")
    if Path(name).is_absolute():
        raise RegistryError(f"{where}: {name!r} is absolute; name a file inside the registry, relative to its root")
    inside = root.resolve()
    for start in (root, record_path.parent):
        try:
            path = (start / name).resolve()
            if path.is_relative_to(inside):
                if path.is_file():
                    return path
            elif path.exists():
                raise RegistryError(f"{where}: {name!r} leads out of the registry; copy the file in")
        except (OSError, RuntimeError) as error:
            raise RegistryError(f"{where}: {name!r} cannot be followed ({error})") from error
    raise RegistryError(f"{where}: there is no file {name!r} in {root}; copy it in, or correct the path")


def _kind_of(path: Path, folder: str, where: str) -> str:
    suffix = path.suffix.lower().lstrip(".")
    for kind, suffixes in _SUFFIX_KINDS.items():
        if suffix in suffixes:
            return {"picture": "face", "audio": "voice"}.get(kind, kind) if folder == "persons" else kind
    raise RegistryError(f"{where}: is missing, and the suffix of {path.name!r} does not tell; say picture, video, ...")


class _Digests:
    """Digests of reference files, remembered between loads by size and times where there is much to read."""

    REMEMBER_BYTES = 256 << 20
    """Below this a load simply reads everything, half a second, and leaves no trace in the user's folder."""

    def __init__(self, root: Path) -> None:
        self._path = root / ".digests.json"
        self._read_bytes = 0
        self._used: dict[str, list[Any]] = {}
        try:
            known = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            known = {}
        self._known: dict[str, list[Any]] = known if isinstance(known, dict) else {}

    def of(self, path: Path) -> str:
        """SHA-256 of the file in lower-case hex."""
        try:
            now = path.stat()
            mark = [now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino]
            entry = self._known.get(str(path))
            if not (isinstance(entry, list) and entry[:4] == mark and len(entry) == 5):
                entry = [*mark, digest(path)]
                self._read_bytes += now.st_size
        except OSError as error:
            raise RegistryError(f"{path}: cannot be read ({error.strerror})") from error
        self._used[str(path)] = entry
        return str(entry[4])

    def keep(self) -> None:
        """Remember what was read, where it was much and the folder can be written."""
        if self._read_bytes < self.REMEMBER_BYTES:
            return
        try:
            with replacing(self._path) as fresh:
                fresh.write_text(json.dumps(self._used), "utf-8")
        except OSError:
            return  # a registry on a read-only disk is simply read again


# --- below: writing a registry


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _take_in(root: Path, folder: str, index: int, reference: dict[str, Any], base: Path, taken: list[Path]) -> None:
    """Copy the file a new record names into the registry and have the record name the copy."""
    where = f"the new record in {folder}: /references/{index}"
    source = base / reference["path"]
    if not source.is_file():
        raise RegistryError(f"{where}/path: there is no file {source}; correct the path")
    kind = reference.setdefault("kind", _kind_of(source, folder, f"{where}/kind"))
    if kind in ("face", "picture", "video", "voice", "audio"):
        try:
            info = media.probe(source)
        except media.Unusable as error:
            raise RegistryError(f"{where}: {error}") from error
        if kind in ("face", "picture", "video") and info.width == 0:
            raise RegistryError(f"{where}: {source} holds no picture, so it cannot be a {kind}")
        if kind in ("voice", "audio") and info.audio_codec is None:
            raise RegistryError(f"{where}: {source} holds no sound, so it cannot be a {kind}")
    store = root / "references"
    store.mkdir(exist_ok=True)
    with replacing(store / f".incoming{source.suffix.lower()}") as fresh:
        shutil.copyfile(source, fresh)
        sha256 = digest(fresh)
    incoming = store / f".incoming{source.suffix.lower()}"
    stated = reference.get("sha256")
    if stated is not None and stated.lower() != sha256:
        incoming.unlink()
        raise RegistryError(f"{where}/sha256: {source} has the digest {sha256}; the record names another file")
    target = store / sha256[:2] / f"{sha256}{source.suffix.lower()}"
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        incoming.unlink()
    else:
        incoming.replace(target)
        sync(target.parent)
        taken.append(target)
    reference["path"] = target.relative_to(root).as_posix()
    reference["sha256"] = sha256


def _stored_references(path: Path) -> set[str]:
    record = _parse(_bounded(path), str(path), RegistryError)
    names = (entry.get("path", "") for entry in record.get("references") or ())
    return {name for name in names if re.fullmatch(r"references/[0-9a-f]{2}/[0-9a-f]{64}(\.[A-Za-z0-9]+)?", name)}


def _file_name(name: str) -> str:
    """A file name for the record `name`: readable, safe, and different for different ids."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name.split(":", 1)[-1]).strip(".-")[:64]
    plain = safe == name.split(":", 1)[-1] and not safe.startswith(".")
    return safe if plain else f"{safe or 'record'}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _shown_title(record: Mapping[str, Any]) -> str:
    names = record.get("names") or {}
    return str(record.get("title") or names.get("zh") or names.get("en") or "")


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


# --- below: JSON that means one thing, checked against its schema


def _bounded(path: Path) -> bytes:
    """The file's bytes, one more than allowed at most, so that an endless file is not read to its end."""
    with path.open("rb") as file:
        return file.read(MAX_RECORD_BYTES + 1)


def _parse(raw: bytes, where: str, error: type[RegistryError] | type[PapersError]) -> dict[str, Any]:
    """The JSON object in `raw`. Refuses what parsers disagree about: double keys, NaN, surrogates, deep nesting."""
    if len(raw) > MAX_RECORD_BYTES:
        raise error(f"{where}: is larger than {MAX_RECORD_BYTES >> 20} MiB; leave out what the schema does not ask for")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise error(f"{where}: is not UTF-8 at byte {wrong.start}; save it as UTF-8") from wrong
    if not text.strip():
        raise error(f"{where}: is empty; it must hold one JSON object")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            raise error(f"{where}: the field {_quoted(twice)} occurs twice in one object; keep one")
        return found

    def constant(name: str) -> Any:
        raise error(f"{where}: {name} is not a JSON number; leave the field out if it is not known")

    try:
        doc = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as wrong:
        raise error(f"{where}, line {wrong.lineno}, column {wrong.colno}: is not JSON: {wrong.msg}") from wrong
    except RecursionError as wrong:
        raise error(f"{where}: is nested deeper than {MAX_DEPTH} levels; flatten it") from wrong
    except ValueError as wrong:
        raise error(f"{where}: holds a number with thousands of digits; correct it") from wrong
    if not isinstance(doc, dict):
        raise error(f"{where}: must hold one JSON object, not {_type_name(doc)}")
    _walk(doc, where, error)
    return doc


def _walk(doc: Any, where: str, error: type[RegistryError] | type[PapersError]) -> None:
    pending: list[tuple[Any, str, int]] = [(doc, "", 1)]
    while pending:
        value, pointer, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise error(f"{where}: is nested deeper than {MAX_DEPTH} levels; flatten it")
        if isinstance(value, dict):
            for name, inner in value.items():
                pending.append((name, f"{pointer}/{_escaped(name)}", depth))
                pending.append((inner, f"{pointer}/{_escaped(name)}", depth + 1))
        elif isinstance(value, list):
            pending += [(inner, f"{pointer}/{index}", depth + 1) for index, inner in enumerate(value)]
        elif isinstance(value, str):
            if bad := re.search("[\0\ud800-\udfff]", value):
                raise error(f"{where}: {_quoted(pointer)}: holds the character U+{ord(bad[0]):04X}; remove it")
        elif isinstance(value, float) and value in (float("inf"), float("-inf")):
            raise error(f"{where}: {pointer}: the number is too large to be kept; correct it")


def _validate(doc: Any, schema: str, where: str, error: type[RegistryError] | type[PapersError]) -> None:
    wrong = sorted(_validator(schema).iter_errors(doc), key=lambda one: ([str(part) for part in one.absolute_path]))
    if not wrong:
        return
    more = f" ({len(wrong) - 1} more such problems)" if len(wrong) > 1 else ""
    pointer = "/" + "/".join(_escaped(str(part)) for part in wrong[0].absolute_path)
    raise error(f"{where}: {pointer}: {_sentence(wrong[0])}{more}")


@functools.cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    text = importlib.resources.files("provenance").joinpath(f"schemas/{schema}.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(text), format_checker=_FORMATS)


_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date")
def _is_date(value: object) -> bool:
    """Whether text is a day as RFC 3339 writes it."""
    if not isinstance(value, str):
        return True
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII)) and bool(dt.date.fromisoformat(value))
    except ValueError:
        return False


@_FORMATS.checks("date-time")
def _is_date_time(value: object) -> bool:
    """Whether text is an instant as RFC 3339 writes it, with its offset from UTC."""
    if not isinstance(value, str):
        return True
    form = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)"
    if not re.fullmatch(form, value, re.ASCII):
        return False
    try:
        dt.datetime.fromisoformat(re.sub(r"\.(\d{6})\d+", r".\1", value.upper()))
    except ValueError:
        return False
    return True


def _sentence(wrong: ValidationError) -> str:
    """What is wrong, and what would be right, in one clause."""
    value: Any = wrong.instance
    rule: Any = wrong.validator_value
    schema: Any = wrong.schema
    match wrong.validator:
        case "required":
            missing = [name for name in rule if name not in value]
            return f"the field {_quoted(missing[0])} is missing"
        case "additionalProperties":
            known = list(schema.get("properties", {}))
            extra = next(name for name in value if name not in known)
            return f"there is no field {_quoted(extra)}; {_nearest(extra, known)}"
        case "enum":
            return f"{_quoted(value)} is not allowed; {_nearest(str(value), [str(one) for one in rule])}"
        case "const":
            return f"{_quoted(value)} is not allowed; it must be {_quoted(rule)}"
        case "type":
            wanted = " or ".join(_TYPE_NAMES.get(one, one) for one in ([rule] if isinstance(rule, str) else rule))
            return f"{_quoted(value)} is {_type_name(value)}; it must be {wanted}"
        case "pattern":
            return f"{_quoted(value)} does not have the form {rule}"
        case "format":
            example = "2026-11-20" if rule == "date" else "2026-11-20T08:00:00+08:00"
            return f"{_quoted(value)} is not a {rule}; write it like {example}"
        case "minItems" | "minLength" | "minimum":
            return f"{_quoted(value)} is too {'small' if wrong.validator == 'minimum' else 'short'}; at least {rule}"
        case "maxItems" | "maxLength" | "maximum":
            return f"{_quoted(value)} is too {'large' if wrong.validator == 'maximum' else 'long'}; at most {rule}"
        case "uniqueItems":
            return f"{_quoted(value)} names something twice; keep one"
        case _:
            return wrong.message[:200]


_TYPE_NAMES = {
    "object": "an object", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number",
    "boolean": "true or false", "null": "null",
}  # fmt: skip


def _type_name(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "text"
        case None:
            return "null"
        case _:
            return "a number"


def _escaped(part: str) -> str:
    """One step of a JSON pointer. Source: RFC 6901, section 3."""
    return part.replace("~", "~0").replace("/", "~1")


def _quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(known[:24]) + (", ..." if len(known) > 24 else "")
    return f"known are {shown}" if known else "there are none"
