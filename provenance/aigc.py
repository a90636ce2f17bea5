"""The implicit AIGC label of GB 45438-2025: read from every carrier seen in the wild, written to the standard one.

The label goes in after every edit and before the C2PA seal, so that the seal covers it: a label written after
signing breaks the seal. Source: GB 45438-2025 Annex E; places by the guides TC260-PG-20257A (video), 20259A
(pictures), 202510A (sound), 20258A (text).
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import tempfile
import textwrap
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

import yaml

from provenance import bmff, carriers, id3, media, mp4_tags, vorbis
from provenance.carriers import Entry
from provenance.failure import Refused
from provenance.files import copy_part, replacing, same_file
from provenance.report import AigcLabel

KEYS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
ASSERTION = "cn.dramagate.aigc"
"""Label of the C2PA assertion that repeats the label, so that a disagreement can be seen."""

MAX_VALUE_CHARS = 1024
"""Ours, not the standard's: keeps a label well inside one JPEG segment."""

_FORBIDDEN = re.compile(r"[^\x21\x23-\x5b\x5d-\x7e]")  # Annex E j): printable ASCII without space, quote, backslash


class LabelError(Refused, ValueError):
    """The label breaks the standard, or cannot be written here. One sentence: what, where, what would be right."""


@dataclass(frozen=True, slots=True)
class Label:
    """One conforming label. Values are codes: printable ASCII without space, quotation mark and backslash."""

    label: str
    """"1" is, "2" may be, "3" is suspected to be AI-generated."""
    content_producer: str
    produce_id: str
    reserved_code1: str
    content_propagator: str
    propagate_id: str
    reserved_code2: str

    def __post_init__(self) -> None:
        """Refuse what the standard refuses."""
        problem = _broken_rule(dict(zip(KEYS, self._values(), strict=True)))
        if problem:
            raise LabelError(f"AIGC label: {problem}")

    @classmethod
    def first(cls, producer: str, produce_id: str, *, label: str = "1", reserved_code1: str = "") -> Label:
        """The label a producer writes: propagator fields repeat the producer's (Annex E, note 1)."""
        return cls(label, producer, produce_id, reserved_code1, producer, produce_id, "")

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Label:
        """The label with these seven fields. Raises LabelError where one is missing, unknown or breaks a rule."""
        problem = _broken_rule(fields)
        if problem:
            raise LabelError(f"AIGC label: {problem}")
        return cls(*(fields[key] for key in KEYS))

    def propagated(self, propagator: str, propagate_id: str, *, reserved_code2: str = "") -> Label:
        """The same label as another service passes the content on."""
        return replace(self, content_propagator=propagator, propagate_id=propagate_id, reserved_code2=reserved_code2)

    def fields(self) -> dict[str, str]:
        """The seven fields under their standard names, in the standard's order."""
        return dict(zip(KEYS, self._values(), strict=True))

    def to_json(self) -> str:
        """The compact JSON that goes into the file."""
        return json.dumps(self.fields(), separators=(",", ":"))

    def _values(self) -> tuple[str, ...]:
        return (
            self.label,
            self.content_producer,
            self.produce_id,
            self.reserved_code1,
            self.content_propagator,
            self.propagate_id,
            self.reserved_code2,
        )


def read(path: Path) -> tuple[AigcLabel, ...]:
    """Every label `path` carries, conforming or not, in file order; empty where there is none.

    Each says how many there are in all. Never raises for broken content, only OSError for an unreadable path.
    """
    return labels_in(carriers.entries(path))


def labels_in(entries: tuple[Entry, ...]) -> tuple[AigcLabel, ...]:
    """The labels among texts already read from a file."""
    found = [(entry, fields) for entry in entries if (fields := _label_in(entry)) is not None]
    return tuple(
        AigcLabel(
            fields={str(key)[:64]: _shown(value) for key, value in list(fields.items())[:16]},
            carrier=entry.carrier,
            conforming=len(found) == 1 and _broken_rule(fields) is None,
            copies=len(found),
            agrees_with_seal=None,
        )
        for entry, fields in found
    )


def write(src: Path, dst: Path, label: Label) -> None:
    """Write `src` as `dst` with exactly this label, replacing any it carries. Pictures and sound stay bit for bit.

    Where the format has no place of its own for a label (json, txt, fountain, srt, vtt), `dst` is a copy and
    the label lies beside it as `<dst>.aigc.json`. A C2PA seal that `src` carries no longer fits `dst`: seal it
    again, with `src` as the parent. Raises LabelError where the format cannot carry a label or `src` is broken.
    """
    if same_file(src, dst):
        raise LabelError(f"{src}: would be overwritten by its own labelled version; choose another output")
    kind = carriers.container(src)
    writer = _WRITERS.get(kind)
    if writer is None:
        able = ", ".join(sorted(_WRITERS))
        raise LabelError(f"{src}: no place for an AIGC label is known in this kind of file; known are {able}")
    sidecar = dst.with_name(dst.name + carriers.LABEL_SIDECAR_SUFFIX)
    if kind in _BESIDE:
        with replacing(sidecar) as note:
            note.write_text(json.dumps({"AIGC": label.fields()}, indent=1) + "\n", "utf-8")
        with replacing(dst) as fresh:
            shutil.copyfile(src, fresh)
        return
    with replacing(dst) as fresh:
        try:
            writer(src, fresh, label)
        except _BROKEN as error:
            raise LabelError(
                f"{src}: no label can be written into it ({error}); export it again and label that"
            ) from error
        found = read(fresh)
        if len(found) != 1 or found[0].fields != label.fields():
            where = ", ".join(one.carrier for one in found) or "nowhere"
            raise LabelError(f"{src}: after writing, labels lie in {where} instead of in one place; strip them first")
    sidecar.unlink(missing_ok=True)


# --- below: what counts as a label


def _broken_rule(fields: Mapping[str, Any]) -> str | None:
    """What the first broken rule of Annex E is, in one clause; None for a conforming label."""
    for key in KEYS:
        if key not in fields:
            return f"the field {key} is missing"
        value = fields[key]
        if not isinstance(value, str):
            return f"{key} must be text, not {type(value).__name__}"
        if len(value) > MAX_VALUE_CHARS:
            return f"{key} is longer than {MAX_VALUE_CHARS} characters"
        if bad := _FORBIDDEN.search(value):
            return (
                f"{key} holds {bad[0]!r}; only printable ASCII without space, quotation mark and backslash is allowed,"
                " so use codes rather than names"
            )
    if extra := sorted(set(fields) - set(KEYS)):
        return f"{extra[0]!r} is not a field; fields are {', '.join(KEYS)}"
    if fields["Label"] not in ("1", "2", "3"):
        return f'Label is {fields["Label"]!r}; it must be "1" (is), "2" (may be) or "3" (suspected)'
    for key in ("ContentProducer", "ProduceID"):
        if not fields[key]:
            return f"{key} is empty"
    return None


def _label_in(entry: Entry) -> Mapping[str, Any] | None:
    """The fields of the label that `entry` is; None where it is none."""
    name = entry.key.rsplit("}", 1)[-1]
    named = "AIGC" in name
    if not named and ":xmp" in entry.carrier:
        return None
    if not named and "AIGC" not in entry.value and "ContentProducer" not in entry.value:
        return None
    fields = _fields(entry, named=named)
    if fields is None:
        return {"": entry.value[:200]} if named and entry.value.strip() else None
    return fields


def _fields(entry: Entry, *, named: bool) -> Mapping[str, Any] | None:
    if entry.carrier.endswith(":front-matter"):
        doc = _yaml(textwrap.dedent(entry.value.strip("\n")))
    else:
        doc = _json(entry.value.strip().removeprefix("AIGC").lstrip(":= "))
    for _ in range(3):  # {"AIGC": {...}}, and labels encoded twice
        if isinstance(doc, str):
            doc = _json(doc)
        elif isinstance(doc, dict) and "AIGC" in doc:
            doc = doc["AIGC"]
    if not isinstance(doc, dict) or not doc:
        return None
    if named or any(key in doc for key in KEYS):
        return doc
    return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _yaml(text: str) -> Any:
    if len(text) > 65_536:
        return None
    try:
        doc = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    if isinstance(doc, dict) and isinstance(doc.get("Label"), int):
        doc["Label"] = str(doc["Label"])  # YAML reads an unquoted 1 as a number; the standard shows both
    return doc


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:MAX_VALUE_CHARS]


# --- below: one writer per kind of file


def _write_video(src: Path, dst: Path, label: Label) -> None:
    media.remux(src, dst, metadata={"AIGC": label.to_json()})
    if media.essence(src) != media.essence(dst):
        raise LabelError(f"{src}: its pictures or sound would change when laid out anew; normalise the file first")


def _write_m4a(src: Path, dst: Path, label: Label) -> None:
    """Write the label into the tags as they are; a file in fragments is laid out anew first."""
    layout = bmff.survey(src)
    try:
        moov = mp4_tags.must_be_plain(layout)
    except bmff.Malformed:
        with tempfile.TemporaryDirectory(prefix=".labelling-", dir=dst.parent) as folder:
            plain = Path(folder) / f"plain{dst.suffix}"
            media.remux(src, plain)
            moov = mp4_tags.must_be_plain(bmff.survey(plain))
            _write_m4a_tags(plain, dst, moov, label)
    else:
        _write_m4a_tags(src, dst, moov, label)
    _must_sound_the_same(src, dst)


def _write_m4a_tags(src: Path, dst: Path, moov: bmff.Box, label: Label) -> None:
    with src.open("rb") as file, dst.open("wb") as out:
        mp4_tags.write(file, out, moov, "AIGC", label.to_json(), _is_other)


def _write_mp3(src: Path, dst: Path, label: Label) -> None:
    with src.open("rb") as file, dst.open("wb") as out:
        tag = id3.read(file) or id3.EMPTY
        gone = {
            id(frame)
            for frame, texts in carriers.id3_frames(tag, "mp3")
            if frame.id != b"PRIV" and not all(map(_is_other, texts))  # a packet of XMP says more than the label
        }
        kept = [frame for frame in tag.frames if id(frame) not in gone]
        out.write(tag.with_text(kept, "AIGC", label.to_json()))
        file.seek(tag.size_bytes)
        shutil.copyfileobj(file, out, 1 << 20)


def _write_vorbis(src: Path, dst: Path, label: Label) -> None:
    write_comments = vorbis.write_flac if carriers.container(src) == "flac" else vorbis.write_ogg
    with src.open("rb") as file, dst.open("wb") as out:
        write_comments(
            file,
            out,
            lambda key, value: _is_other(Entry("vorbis:comment", key, value)),
            f"AIGC={label.to_json()}",
        )
    _must_sound_the_same(src, dst)


def _is_other(entry: Entry) -> bool:
    """Whether this text among a file's tags is no label and stays."""
    return "AIGC" not in entry.key.upper() and _label_in(entry) is None


def _must_sound_the_same(src: Path, dst: Path) -> None:
    if media.essence(src) != media.essence(dst):
        raise LabelError(f"{src}: its sound would change with the label in it; normalise the file first")


def _write_wav(src: Path, dst: Path, label: Label) -> None:
    """Copy every chunk but labels, and append one AIGC chunk."""
    text = label.to_json().encode()
    with src.open("rb") as file, dst.open("wb") as out:
        file.seek(0)
        if file.read(4) != b"RIFF":
            raise LabelError(f"{src}: is an RF64 file; convert it to WAV under 4 GiB first")
        out.write(b"RIFF\0\0\0\0WAVE")
        last = 12
        for kind, start, length in carriers.riff_chunks(file):
            last = start + length + length % 2
            if kind == b"AIGC":
                continue
            body: bytes | None = None
            if kind == b"LIST" and length <= carriers.MAX_TEXT_BYTES:
                file.seek(start)
                body = _without_info_labels(file.read(length))
            _copy_chunk(file, out, kind, start, length, body)
        if last < file.seek(0, 2):
            raise LabelError(f"{src}: {file.tell() - last} bytes follow the last whole chunk; the file is cut short")
        _copy_chunk(file, out, b"AIGC", 0, len(text), text)
        size = out.tell() - 8
        if size > 0xFFFFFFFF:
            raise LabelError(f"{src}: would exceed the 4 GiB a WAV file can hold")
        out.seek(4)
        out.write(struct.pack("<I", size))


def _copy_chunk(file: BinaryIO, out: BinaryIO, kind: bytes, start: int, length: int, body: bytes | None) -> None:
    size = length if body is None else len(body)
    out.write(struct.pack("<4sI", kind, size))
    if body is not None:
        out.write(body)
    else:
        file.seek(start)
        copy_part(file, out, length)
    out.write(b"\0" * (size % 2))


def _without_info_labels(body: bytes) -> bytes:
    if body[:4] != b"INFO":
        return body
    kept, at = [b"INFO"], 4
    while at + 8 <= len(body):
        key, size = struct.unpack_from("<4sI", body, at)
        end = at + 8 + size + size % 2
        text = body[at + 8 : at + 8 + size].decode("utf-8", "replace").strip("\0")
        if _label_in(Entry("wav:LIST/INFO", key.decode("latin-1"), text)) is None:
            kept.append(body[at:end])
        at = end
    return b"".join(kept)


def _write_png(src: Path, dst: Path, label: Label) -> None:
    data = src.read_bytes()
    file = BytesIO(data)
    out: list[bytes] = []
    packet: bytes | None = None
    place = 0
    ended = False
    for kind, start, length in carriers.png_chunks(file):
        raw = data[start - 8 : start + length + 4]
        body = data[start : start + length]
        ended = ended or kind == b"IEND"
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            text = carriers.png_text(kind, body)
            if text is not None and text[0] == "XML:com.adobe.xmp":
                packet = packet or text[1]
                continue
            if text is not None:
                entry = Entry(f"png:{kind.decode()}", text[0], text[1].decode("utf-8", "replace"))
                if _label_in(entry) is not None:
                    continue
        elif kind == b"eXIf":
            raw = _chunk(kind, _without_exif_labels(body))
        out.append(raw)
        if kind == b"IHDR":
            place = len(out)
    if not ended or place == 0:
        raise LabelError(f"{src}: the PNG has no header or no end; it is cut short")
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0" + _xmp_with(packet, label)
    out.insert(place, _chunk(b"iTXt", xmp))
    dst.write_bytes(carriers.PNG_MAGIC + b"".join(out))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _write_jpeg(src: Path, dst: Path, label: Label) -> None:
    data = src.read_bytes()
    out: list[bytes] = []
    packet: bytes | None = None
    end, place = 2, 0
    for marker, start, length in carriers.jpeg_segments(BytesIO(data)):
        body = data[start : start + length]
        if end != start - 4:
            out.append(data[end : start - 4])  # fill bytes
        end = start + length
        if marker == 0xE1 and body.startswith(carriers.XMP_IN_JPEG):
            packet = packet or body[len(carriers.XMP_IN_JPEG) :]
            continue
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            body = body[:6] + _without_exif_labels(body[6:])
        elif _jpeg_label(marker, body):
            continue
        out.append(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)
        if marker == 0xE0 or (marker == 0xE1 and body.startswith(b"Exif\0\0")):
            place = len(out)
    if data[end : end + 2] != b"\xff\xda":
        raise LabelError(f"{src}: the JPEG has no picture data; it is cut short")
    xmp = carriers.XMP_IN_JPEG + _xmp_with(packet, label)
    if len(xmp) > 65_533:
        raise LabelError(f"{src}: its XMP packet has no room left for the label; remove other XMP fields first")
    out.insert(place, struct.pack(">BBH", 0xFF, 0xE1, len(xmp) + 2) + xmp)
    dst.write_bytes(b"\xff\xd8" + b"".join(out) + data[end:])


def _jpeg_label(marker: int, body: bytes) -> bool:
    """Whether a segment that is neither XMP nor EXIF is nothing but a label."""
    if marker == 0xFE:
        return _label_in(Entry("jpeg:comment", "comment", body.decode("utf-8", "replace"))) is not None
    return marker not in (0xE1, 0xEB) and re.search(rb"AIGC\s*[:=]?\s*\{", body) is not None


def _write_webp(src: Path, dst: Path, label: Label) -> None:
    data = src.read_bytes()
    chunks: list[tuple[bytes, bytes]] = []
    packet: bytes | None = None
    for kind, start, length in carriers.riff_chunks(BytesIO(data)):
        body = data[start : start + length]
        if kind == b"XMP ":
            packet = packet or body
        elif kind == b"EXIF":
            head = b"Exif\0\0" if body.startswith(b"Exif\0\0") else b""
            chunks.append((kind, head + _without_exif_labels(body[len(head) :])))
        elif kind != b"AIGC":
            chunks.append((kind, body))
    if not chunks:
        raise LabelError(f"{src}: the WebP holds no picture; it is cut short")
    if chunks[0][0] != b"VP8X":
        chunks.insert(0, (b"VP8X", _webp_header(src, chunks[0])))
    flags = bytearray(chunks[0][1])
    flags[0] |= 0x04  # XMP metadata present
    chunks[0] = (b"VP8X", bytes(flags))
    chunks.append((b"XMP ", _xmp_with(packet, label)))
    body = b"".join(struct.pack("<4sI", kind, len(part)) + part + b"\0" * (len(part) % 2) for kind, part in chunks)
    dst.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)


def _webp_header(src: Path, first: tuple[bytes, bytes]) -> bytes:
    """A VP8X header for a simple file. Source: RFC 9649, sections 2.5 to 2.7."""
    kind, body = first
    alpha = 0
    if kind == b"VP8 " and len(body) >= 10:
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", body, 6))
    elif kind == b"VP8L" and len(body) >= 5:
        bits = struct.unpack_from("<I", body, 1)[0]
        width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bits >> 28 & 1
    else:
        raise LabelError(f"{src}: the WebP begins with {kind!r} instead of a picture")
    size: bytes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes([alpha << 4, 0, 0, 0]) + size


def _write_gif(src: Path, dst: Path, label: Label) -> None:
    """Put an XMP application extension in front of everything else, and take the old one out."""
    data = src.read_bytes()
    packet: bytes | None = None
    cuts: list[tuple[int, int]] = []
    for number, name, body, start, end in carriers.gif_extensions(BytesIO(data)):
        if name == b"XMP DataXMP":
            packet = packet or body
            cuts.append((start, end))
        elif b"AIGC" in name or (
            number == 0xFE and _label_in(Entry("gif:comment", "comment", body.decode("utf-8", "replace"))) is not None
        ):
            cuts.append((start, end))
    begin = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    extension = b"\x21\xff\x0bXMP DataXMP" + _xmp_with(packet, label) + trailer
    kept, at = [b"GIF89a" + data[6:begin], extension], begin
    for start, end in cuts:
        kept.append(data[at:start])
        at = end
    dst.write_bytes(b"".join(kept) + data[at:])


def _write_markdown(src: Path, dst: Path, label: Label) -> None:
    try:
        text = src.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelError(f"{src}: is not UTF-8 text at byte {error.start}; save it as UTF-8 first") from error
    block = "AIGC:\n" + "".join(
        f"  {key}: '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in label.fields().items()
    )
    old = carriers.front_matter_span(text)
    if old is None:
        dst.write_bytes(f"---\n{block}---\n\n{text}".encode())
        return
    start, end = old
    kept = carriers.FRONT_MATTER_LABEL.sub("", text[start:end])
    dst.write_bytes((text[:start] + block + kept.lstrip("\n") + text[end:]).encode())


def _write_beside(src: Path, dst: Path, label: Label) -> None:
    raise AssertionError("written by `write` itself")


def _without_exif_labels(tiff: bytes) -> bytes:
    """The EXIF block with labels in it blanked in place, so that no offset moves."""
    edited = bytearray(tiff)
    entries = list(carriers.exif_entries(tiff, "exif"))
    if not any(_label_in(entry) for entry in entries):
        return tiff
    for tag, start, length in carriers.exif_texts(tiff):
        one = tiff[start : start + length]
        if b"AIGC" in one or b"ContentProducer" in one:
            keep = 8 if tag == 0x9286 else 0
            edited[start + keep : start + length] = b"\0" * (length - keep)
    return bytes(edited)


_PREFIXES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "TC260": NAMESPACE,
}
for _prefix, _uri in _PREFIXES.items():
    ElementTree.register_namespace(_prefix, _uri)

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def _xmp_with(packet: bytes | None, label: Label) -> bytes:
    """An XMP packet that says what `packet` said and carries this label, and no other."""
    root = None if packet is None else carriers.parse_xmp(packet)
    if packet is not None and root is None:
        raise LabelError("the XMP packet in the file cannot be parsed; remove it first")
    if root is None:
        root = ElementTree.Element("{adobe:ns:meta/}xmpmeta")
    rdf = root if root.tag == f"{_RDF}RDF" else root.find(f".//{_RDF}RDF")
    if rdf is None:
        rdf = ElementTree.SubElement(root, f"{_RDF}RDF")
    for element in root.iter():
        for name in [name for name in element.attrib if "AIGC" in name.rsplit("}", 1)[-1]]:
            del element.attrib[name]
        for child in [child for child in element if "AIGC" in str(child.tag).rsplit("}", 1)[-1]]:
            element.remove(child)
    description = ElementTree.SubElement(rdf, f"{_RDF}Description", {f"{_RDF}about": ""})
    ElementTree.SubElement(description, f"{{{NAMESPACE}}}AIGC").text = label.to_json()
    xml: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{xml}<?xpacket end="w"?>'.encode()


_BROKEN = (
    id3.Malformed,
    vorbis.Malformed,
    bmff.Malformed,
    media.Unusable,
    struct.error,
    IndexError,
    EOFError,
)
_BESIDE = frozenset({"json", "txt", "fountain", "srt", "vtt"})
_WRITERS: dict[str, Callable[[Path, Path, Label], None]] = {
    "mp4": _write_video,
    "mov": _write_video,
    "mkv": _write_video,
    "webm": _write_video,
    "m4a": _write_m4a,
    "mp3": _write_mp3,
    "flac": _write_vorbis,
    "ogg": _write_vorbis,
    "wav": _write_wav,
    "png": _write_png,
    "jpeg": _write_jpeg,
    "webp": _write_webp,
    "gif": _write_gif,
    "md": _write_markdown,
    **dict.fromkeys(_BESIDE, _write_beside),
}
EMBEDS = frozenset(_WRITERS) - _BESIDE
"""Kinds of file that carry the label inside; the others have it beside them."""
