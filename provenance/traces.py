"""What a file says about the tool that made it, outside any seal: "declared, unverified".

Read from ComfyUI graphs (PNG text, WebP and JPEG EXIF, MP4 and audio tags), Automatic1111 parameters, other
generators' fields, EXIF and XMP software fields and XMP digital source types. Prompts are never repeated, only
digested: two files made from the same words can be told, the words cannot.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance import carriers
from provenance.carriers import Entry

MAX_NODES = 5000
"""Nodes of a graph that are looked at; published workflows have a few hundred."""
MAX_TRACES = 200

AI_SOURCE_TYPES = frozenset(
    {
        "trainedalgorithmicmedia",
        "compositewithtrainedalgorithmicmedia",
        "algorithmicmedia",
        "compositesynthetic",
        "trainedalgorithmicdata",
    }
)
"""Last part of an IPTC or C2PA digital source type URI, lower case, that says a model made it or part of it."""

_MODEL_INPUTS = re.compile(
    r"^(ckpt|unet|lora|vae|clip|clip_vision|control_net|style_model|upscale|model|gguf|checkpoint|motion_model)_?name\d*$"
    r"|^(model|checkpoint|motion_module|lora)$"
)
_WEIGHTS_FILE = re.compile(r"[\w\-. /\\]{1,200}\.(safetensors|ckpt|pt|pth|bin|gguf|sft|onnx)", re.IGNORECASE)
_GENERATORS = re.compile(
    r"comfyui|stable.?diffusion|automatic1111|invokeai|novelai|midjourney|dall.?e|firefly|imagen|\bveo\b|\bsora\b"
    r"|runway|\bpika\b|kling|可灵|即梦|jimeng|seedance|seedream|doubao|豆包|hailuo|海螺|minimax|vidu|cogvideo|hunyuan"
    r"|\bwan\s?2|\bltx|flux\.?1|leonardo\.?ai|ideogram|fooocus|swarmui|draw ?things|elevenlabs|suno|udio|通义|wanxiang",
    re.IGNORECASE,
)
"""Names that a software field gives a generator of pictures, films or sound."""
_SOFTWARE_KEYS = {
    "0x0131": "Software", "software": "Software", "Software": "Software", "ISFT": "Software", "TSSE": "Software",
    "encoder": "Software", "ENCODER": "Software", "©too": "Software", "©swr": "Software", "WritingApp": "Software",
    "{http://ns.adobe.com/xap/1.0/}CreatorTool": "CreatorTool",
}  # fmt: skip
_SOURCE_TYPE_KEYS = ("DigitalSourceType", "digitalSourceType", "DigitalSourcefileType")
_PARAMETERS = re.compile(r"^(?P<words>.*?)(?:^|\n)Steps:\s*\d+,\s*(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing a file declares about how it was made. Unverified."""

    tool: str
    """e.g. "ComfyUI", "Automatic1111", "software"."""
    kind: str
    """model | node | prompt_sha256 | software | source_type | setting."""
    value: str
    carrier: str
    generator: bool
    """Whether this alone says that a model made the content or part of it."""

    def __str__(self) -> str:
        """As reports list it."""
        return f"{self.tool} {self.kind}: {self.value}"


def read(path: Path) -> tuple[Trace, ...]:
    """What `path` declares, each thing once, at most 200. Raises OSError where it cannot be read, nothing else."""
    found = carriers.entries(path)
    if carriers.container(path) == "json" and path.stat().st_size <= carriers.MAX_TEXT_BYTES:
        found = (*found, Entry("json", "workflow", path.read_bytes().decode("utf-8", "replace")))
    return traces_in(found)


def traces_in(entries: Iterable[Entry]) -> tuple[Trace, ...]:
    """The traces among texts already read from a file."""
    unique: dict[Trace, None] = {}
    for entry in entries:
        for trace in _of(entry):
            unique.setdefault(trace)
            if len(unique) >= MAX_TRACES:
                return tuple(unique)
    return tuple(unique)


# --- below: one reader per kind of text


def _of(entry: Entry) -> Iterator[Trace]:
    name = entry.key.rsplit("}", 1)[-1]
    if name in _SOURCE_TYPE_KEYS:
        kind = entry.value.rstrip("/").rsplit("/", 1)[-1]
        yield Trace("metadata", "source_type", _short(kind), entry.carrier, kind.lower() in AI_SOURCE_TYPES)
        return
    if entry.key in _SOFTWARE_KEYS:
        named = bool(_GENERATORS.search(entry.value))
        yield Trace("software", "software", _short(entry.value), entry.carrier, named)
        return
    text = entry.value.strip()
    prefix = re.match(r"(?i)(prompt|workflow)\s*:\s*(?=\{)", text)
    if prefix:
        text = text[prefix.end() :]
    if text.startswith("{"):
        graph = _json(text)
        if isinstance(graph, dict):
            yield from _from_json(graph, entry.carrier)
            return
    if (match := _PARAMETERS.match(text)) and (
        name in ("parameters", "0x9286", "comment", "Comment", "UserComment", "\xa9cmt") or "Sampler:" in text
    ):
        yield from _parameters(match, entry.carrier)
    elif name in ("Dream", "sd-metadata", "invokeai_metadata", "invokeai_graph", "fooocus_scheme"):
        yield Trace(name, "software", name, entry.carrier, generator=True)


def _from_json(doc: dict[str, Any], carrier: str) -> Iterator[Trace]:
    """Traces of a ComfyUI prompt or workflow, also where both are wrapped in one object (MP4 comments)."""
    if set(doc) & {"prompt", "workflow"} and not isinstance(doc.get("nodes"), list):
        for key in ("prompt", "workflow"):
            inner = doc.get(key)
            inner = _json(inner) if isinstance(inner, str) else inner
            if isinstance(inner, dict):
                yield from _from_json({k: v for k, v in inner.items() if k not in ("prompt", "workflow")}, carrier)
        return
    nodes = list(_nodes(doc))
    for kind, inputs in nodes:
        yield Trace("ComfyUI", "node", _short(kind), carrier, generator=True)
        for value in inputs:
            yield from _input(value, carrier)


def _nodes(doc: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """(node type, its inputs) of a graph in the API form (id → class_type) or the editor's (nodes list)."""
    listed = doc.get("nodes")
    if isinstance(listed, list):
        for node in listed[:MAX_NODES]:
            if isinstance(node, dict) and isinstance(node.get("type"), str):
                values = node.get("widgets_values")
                pairs = values.items() if isinstance(values, dict) else (("", v) for v in values or ())
                yield node["type"], [(_text_key(node["type"], str(key)), value) for key, value in pairs]
        return
    for node in list(doc.values())[:MAX_NODES]:
        if isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict):
            yield node["class_type"], [(_text_key(node["class_type"], key), v) for key, v in node["inputs"].items()]


def _text_key(node: str, key: str) -> str:
    return "text" if not key and re.search(r"TextEncode|Prompt", node) else key


def _input(pair: tuple[str, Any], carrier: str) -> Iterator[Trace]:
    key, value = pair
    if not isinstance(value, str) or not value.strip():
        return
    if _WEIGHTS_FILE.fullmatch(value.strip()) or _MODEL_INPUTS.match(key):
        yield Trace("ComfyUI", "model", _short(value), carrier, generator=True)
    elif key in ("text", "prompt", "positive", "negative", "text_g", "text_l", "t5xxl", "clip_l", "llama"):
        yield Trace("ComfyUI", "prompt_sha256", _digest(value), carrier, generator=True)


def _parameters(match: re.Match[str], carrier: str) -> Iterator[Trace]:
    """Traces of an Automatic1111 parameters text: words, then settings as "Key: value, ..."."""
    words, _, negative = match["words"].partition("Negative prompt:")
    for text in (words, negative):
        if text.strip():
            yield Trace("Automatic1111", "prompt_sha256", _digest(text), carrier, generator=True)
    for setting in re.finditer(r"([A-Z][\w ]{1,40}):\s*(\"[^\"]*\"|[^,\n]*)", match["rest"]):
        key, value = setting[1], setting[2].strip(' "')
        if key in ("Model", "Model hash", "VAE", "Lora hashes", "Version", "Refiner"):
            kind = "model" if key != "Version" else "software"
            yield Trace("Automatic1111", kind, _short(value if key == "Model" else f"{key} {value}"), carrier, True)
        elif key in ("Sampler", "Schedule type"):
            yield Trace("Automatic1111", "setting", _short(f"{key} {value}"), carrier, generator=True)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).hexdigest()


def _short(text: str) -> str:
    """One printable line of at most 120 characters; control and direction marks are dropped."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:120]
