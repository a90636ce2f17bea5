"""The provenance of one file: is it as signed, by whom, made from what, and does it say that it is AI-made?

The C2PA library answers for bytes and signatures. Its "Trusted" alone is not enough (c2pa-rs 0.91.3, measured
2026-11-20): it accepts a good cut of a tampered parent, two parents, a signer whose root was given for time-stamps
only, and a film whose samples lie where the hash does not look. So `check` asks more, in this order:

1. What kind of file is it, and is it safe to parse?
2. Read the manifest store: embedded, else beside the file. Remote ones are named, never fetched.
3. Judge the chain: the outermost manifest, then every ingredient of every manifest.
4. Judge the binding: do the hashes cover the pictures and the sound?
5. Who vouches: a list of roots that was given for manifests?
6. What does it say about AI: sealed, labelled, declared?
"""

from __future__ import annotations

import json
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import c2pa

from provenance import aigc, bmff, carriers, traces
from provenance.keys import Purpose, Trust
from provenance.report import AiDisclosure, AigcLabel, ChainLink, Problem, ProvenanceReport, Seal

SIDECAR_SUFFIX = ".c2pa"
MAX_SIDECAR_BYTES = 64 << 20
"""A manifest store of a thousand ingredients without thumbnails is under 5 MB; thumbnails make it tens."""
MAX_CHUNKS = 100_000
"""RIFF chunks: c2pa-rs needs 5 us for each (measured 2026-11-20), so this bounds it to half a second."""
MAX_GIF_BLOCKS = 600_000
"""GIF blocks, sub-blocks included: 1.3 us each in c2pa-rs (measured 2026-11-20); 150 MB of ordinary GIF."""
MAX_PROBLEMS = 200

MIME = {
    "png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "avif": "image/avif",
    "heic": "image/heic", "heif": "image/heif", "tiff": "image/tiff", "dng": "image/x-adobe-dng",
    "svg": "image/svg+xml", "jxl": "image/jxl", "mp4": "video/mp4", "mov": "video/quicktime", "m4a": "audio/mp4",
    "avi": "video/avi", "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "pdf": "application/pdf",
}  # fmt: skip
"""Kinds of file that can hold a manifest inside, and what c2pa-rs calls them. Any other has it beside."""

BOXED = frozenset({"mp4", "mov", "m4a", "avif", "heic", "heif"})


def check(path: Path, trust: Trust, *, sidecar: Path | None = None) -> ProvenanceReport:
    """Everything the provenance of `path` says, judged under `trust`.

    The manifest is looked for in the file, then in `sidecar` (by default `<path>.c2pa`, where there is one); a
    `sidecar` that is named goes first. Broken content is told in the report, never raised; OSError where `path`,
    or a sidecar that is named, cannot be read or is not a regular file.
    """
    _must_be_file(path)
    kind = carriers.container(path)  # 1
    layout, unsafe = _safe_to_parse(path, kind)
    entries = () if unsafe else carriers.entries(path)
    labels = aigc.labels_in(entries)
    declared = traces.traces_in(entries)
    store = _Store(None, None, unsafe) if unsafe else _read(path, kind, trust, sidecar)  # 2
    samples = layout.samples_in_mdat if layout else None
    if store.doc is None:
        return _without_manifest(store, samples, labels, declared)
    chain = _Chain.of(store.doc)  # 3
    problems = [*chain.broken(), *chain.tainted(), *chain.remarks()]
    problems += _binding(store.detailed, chain.active, layout)  # 4
    uri = _vouching_list(store.doc, chain.active, trust)  # 5
    if uri is None and not any(p.code == _UNTRUSTED for p in problems):
        problems.append(_problem(_UNTRUSTED, chain.title(chain.active)))
    sealed_label = chain.sealed_label()
    label = _judged(labels, sealed_label)
    problems += _label_problems(labels, label, sealed_label, kind)
    seal = _seal(store.doc, problems, chain, uri)
    return ProvenanceReport(
        seal=seal,
        problems=tuple(problems[:MAX_PROBLEMS]),
        ai_disclosure=_disclosure(seal, chain, label, declared),  # 6
        aigc=label,
        chain=tuple(chain.links()),
        signer=chain.signer(chain.active),
        trust_list=uri,
        generators=_listed(declared),
        samples_in_hash=samples,
    )


# --- 1. what it is


def _must_be_file(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "is a folder, not a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(22, "is not a regular file", str(path))


def _safe_to_parse(path: Path, kind: str) -> tuple[bmff.Layout | None, Problem | None]:
    """How a boxed file is laid out, and why the library must not be shown the file at all, if so."""
    if path.stat().st_size == 0:
        return None, _problem("file.empty")
    if kind in BOXED:
        layout = bmff.survey(path)
        return layout, _problem("file.tooManyBoxes") if layout.too_many_boxes else None
    if kind in ("wav", "avi", "webp", "gif"):
        with path.open("rb") as file:
            pieces: Iterable[object] = carriers.gif_blocks(file) if kind == "gif" else carriers.riff_nested(file)
            limit = MAX_GIF_BLOCKS if kind == "gif" else MAX_CHUNKS
            if sum(1 for _ in islice(pieces, limit + 1)) > limit:
                return None, _problem("file.tooManyBoxes")
    return None, None


# --- 2. the manifest store


@dataclass(frozen=True, slots=True)
class _Store:
    """What the library read: the report, the detailed report, and why there is none where there is none."""

    doc: Mapping[str, Any] | None
    detailed: Mapping[str, Any] | None
    problem: Problem | None
    seal: Seal = Seal.ABSENT


def context(trust: Trust) -> c2pa.Context:
    """A fresh library context that believes `trust` and never touches the network.

    Made anew for every use (0.1 ms): a context made before a fork is dead in the child.
    """
    return c2pa.Context.from_dict(
        {
            "trust": {
                "trust_config": "\n".join(trust.ekus) + "\n",
                "anchors": [
                    {"trust_uri": entry.uri, "trust_anchors": entry.pem, "trust_kind": entry.purpose.value}
                    for entry in trust.distinct()
                ],
            },
            "verify": {
                "remote_manifest_fetch": False,
                "ocsp_fetch": False,
                "verify_after_sign": True,
                "verify_after_sign_hash": True,
            },
            "core": {
                "allowed_network_hosts": [],
                "backing_store_memory_threshold_in_mb": 64,
                "max_decompressed_manifest_size_in_mb": 8,
            },
            "builder": {"thumbnail": {"enabled": False}},
        }
    )


def _read(path: Path, kind: str, trust: Trust, sidecar: Path | None) -> _Store:
    beside = sidecar if sidecar is not None else path.with_name(path.name + SIDECAR_SUFFIX)
    if sidecar is not None:
        _must_be_file(sidecar)
    elif kind in MIME:
        inside = _parse(path, MIME[kind], None, trust)
        if inside.doc is not None or inside.seal is not Seal.ABSENT or not beside.is_file():
            return inside
    elif not beside.is_file():
        return _Store(None, None, None)
    if beside.stat().st_size > MAX_SIDECAR_BYTES:
        return _Store(None, None, _problem("sidecar.tooLarge", beside.name), Seal.INVALID)
    return _parse(path, MIME.get(kind, "application/octet-stream"), beside.read_bytes(), trust)


def _parse(path: Path, mime: str, manifest: bytes | None, trust: Trust) -> _Store:
    try:
        with path.open("rb", buffering=1 << 20) as file, c2pa.Reader(mime, file, manifest, context=context(trust)) as r:
            return _Store(json.loads(r.json()), json.loads(r.detailed_json()), None)
    except c2pa.C2paError as error:
        said = str(error)
        if isinstance(error, c2pa.C2paError.ManifestNotFound | c2pa.C2paError.NotSupported):
            lost = manifest is not None
            return _Store(None, None, _problem("sidecar.malformed"), Seal.INVALID) if lost else _Store(None, None, None)
        if said.startswith("Remote:"):
            return _Store(None, None, _problem("remoteManifest", detail=_first_url(said)))
        if manifest is not None or _mentions_manifest(path):
            return _Store(None, None, _problem("manifest.malformed", detail=said), Seal.INVALID)
        return _Store(None, None, _problem("file.malformed", detail=said))
    except (ValueError, RecursionError) as error:  # the library's JSON could not be parsed
        return _Store(None, None, _problem("manifest.malformed", detail=str(error)), Seal.INVALID)


def _first_url(text: str) -> str:
    match = re.search(r"https?://\S+", text)
    return match[0] if match else text


def _mentions_manifest(path: Path) -> bool:
    """Whether the bytes hold a JUMBF box of C2PA: then something was sealed here, though it cannot be read."""
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            window = tail + piece
            if b"jumb" in window and b"c2pa" in window:
                return True
            tail = window[-4096:]
    return False


def _without_manifest(
    store: _Store, samples: bool | None, labels: tuple[AigcLabel, ...], declared: tuple[traces.Trace, ...]
) -> ProvenanceReport:
    label = _judged(labels, None)
    problems = [store.problem] if store.problem else []
    problems += _label_problems(labels, label, None, "")
    return ProvenanceReport(
        seal=store.seal,
        problems=tuple(problems),
        ai_disclosure=_disclosure(store.seal, None, label, declared),
        aigc=label,
        chain=(),
        signer=None,
        trust_list=None,
        generators=_listed(declared),
        samples_in_hash=samples,
    )


# --- 3. the chain

_UNTRUSTED = "signingCredential.untrusted"
_NOT_TAMPERING = frozenset({_UNTRUSTED, "signingCredential.expired"})
"""Of an ingredient these say that nobody vouches for it now, not that its bytes changed."""
_FINE = re.compile(
    r"\.(validated|trusted|match|insideValidity|notRevoked|accessible|skipped|inaccessible|unknownProvenance"
    r"|additionalExclusionsPresent|deprecated)$|^timeStamp\.|^timeOfSigning\."
)
"""Success and informational codes, which C2PA 1.x lists together with failures."""


@dataclass(frozen=True, slots=True)
class _Ingredient:
    owner: str
    title: str | None
    relationship: str
    manifest: str | None
    failures: frozenset[str]
    vouched: bool


@dataclass(slots=True)
class _Chain:
    """The manifests of one store and how they hang together, as read; nothing here trusts its own strings."""

    active: str
    manifests: Mapping[str, Mapping[str, Any]]
    active_failures: tuple[tuple[str, str], ...]
    ingredients: list[_Ingredient] = field(default_factory=list)

    @classmethod
    def of(cls, doc: Mapping[str, Any]) -> _Chain:
        results = doc.get("validation_results") or {}
        active = str(doc.get("active_manifest") or "")
        failures = tuple(
            (_code(item), str(item.get("url", ""))) for item in _items(results, "activeManifest", "failure")
        )
        chain = cls(active, doc.get("manifests") or {}, failures)
        deltas = _deltas(results)
        for label, manifest in chain.manifests.items():
            for item in manifest.get("ingredients") or ():
                chain.ingredients.append(_ingredient(label, item, deltas))
        return chain

    def broken(self) -> Iterator[Problem]:
        """What is wrong with the outermost manifest itself."""
        for code, url in dict.fromkeys(self.active_failures):
            yield _problem(code, self._where(url))
        if not self.active or self.active not in self.manifests:
            yield _problem("claim.missing")
        if self.parents(self.active) > 1:
            yield _problem("multipleParents", self.title(self.active))

    def fatal(self) -> set[str]:
        """Codes of the outermost manifest that make it invalid rather than merely unvouched for."""
        return {code for code, _ in self.active_failures if not _cawg(code)} - {_UNTRUSTED}

    def tainted(self) -> Iterator[Problem]:
        """What is wrong with anything it was made from, however deep."""
        for item in self.ingredients:
            for code in sorted(item.failures - _NOT_TAMPERING):
                yield _problem(f"ingredient.{code.removeprefix('ingredient.')}", item.title)
        for label in self.manifests:
            if label != self.active and self.parents(label) > 1:
                yield _problem("ingredient.multipleParents", self.title(label))

    def remarks(self) -> Iterator[Problem]:
        """Sealed ingredients nobody configured here vouches for."""
        for item in self.ingredients:
            if item.manifest and not item.vouched:
                yield _problem(f"ingredient.{_UNTRUSTED}", item.title)

    def parents(self, label: str) -> int:
        """How many ingredients of this manifest claim to be its parent."""
        found = self.manifests.get(label, {}).get("ingredients") or ()
        return sum(item.get("relationship") == "parentOf" for item in found)

    def title(self, label: str) -> str | None:
        """What the manifest calls its file."""
        title = self.manifests.get(label, {}).get("title")
        return _clean(title) if isinstance(title, str) and title else None

    def signer(self, label: str) -> str | None:
        """Common name of the signer's certificate, else its organisation."""
        info = self.manifests.get(label, {}).get("signature_info") or {}
        name = info.get("common_name") or info.get("issuer")
        return _clean(str(name)) if name else None

    def sealed_label(self) -> Mapping[str, Any] | None:
        """The AIGC label as the outermost manifest repeats it."""
        for assertion in self.manifests.get(self.active, {}).get("assertions") or ():
            if str(assertion.get("label", "")).split("__")[0] == aigc.ASSERTION and isinstance(assertion["data"], dict):
                data: Mapping[str, Any] = assertion["data"]
                return data
        return None

    def links(self) -> Iterator[ChainLink]:
        """Every manifest once, outermost first, then breadth first along ingredients, strays last."""
        relationship: dict[str, str | None] = {self.active: None}
        order = [self.active] if self.active in self.manifests else []
        for label in order:
            for item in self.ingredients:
                source = item.manifest
                if item.owner == label and source and source in self.manifests and source not in relationship:
                    relationship[source] = item.relationship
                    order.append(source)
        for label in (*order, *(label for label in self.manifests if label not in relationship)):
            yield self._link(label, relationship.get(label))

    def _link(self, label: str, relationship: str | None) -> ChainLink:
        manifest = self.manifests[label]
        failed = self.parents(label) > 1 or (label == self.active and bool(self.fatal()))
        for item in self.ingredients:
            if label in (item.manifest, item.owner):
                failed = failed or any(not _cawg(code) for code in item.failures - _NOT_TAMPERING)
        actions = list(_actions(manifest))
        kinds = [action.get("digitalSourceType") for action in actions]
        kinds += [item.get("digitalSourceType") for item in manifest.get("ingredients") or ()]
        agents = [*(manifest.get("claim_generator_info") or ()), *(action.get("softwareAgent") for action in actions)]
        return ChainLink(
            manifest=_clean(label),
            title=self.title(label),
            signer=self.signer(label),
            claim_generator=next((_agent(agent) for agent in agents), None) or _text(manifest.get("claim_generator")),
            relationship=relationship,
            state="failed" if failed else "ok",
            actions=tuple(_clean(str(action.get("action", ""))) for action in actions),
            digital_source_types=_unique(_clean(kind) for kind in kinds if isinstance(kind, str)),
            tools=_unique(name for agent in agents if (name := _agent(agent))),
        )

    def _where(self, url: str) -> str | None:
        match = re.search(r"/c2pa/([^/]+)/", url)
        return self.title(match[1]) if match else self.title(self.active)


def _items(results: Mapping[str, Any], *keys: str) -> list[Mapping[str, Any]]:
    value: Any = results
    for key in keys:
        value = (value or {}).get(key)
    return [item for item in value or () if isinstance(item, dict)]


def _code(item: Mapping[str, Any]) -> str:
    return _clean(str(item.get("code", "unknown")))[:80]


def _deltas(results: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """What validation now says beyond what an ingredient recorded, by the ingredient assertion's address."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for delta in results.get("ingredientDeltas") or ():
        found.setdefault(str(delta.get("ingredientAssertionURI", "")), []).append(delta.get("validationDeltas") or {})
    return found


def _ingredient(owner: str, item: Mapping[str, Any], deltas: Mapping[str, list[Mapping[str, Any]]]) -> _Ingredient:
    recorded = item.get("validation_results") or {}
    failures = {_code(one) for one in _items(recorded, "activeManifest", "failure")}
    successes = {_code(one) for one in _items(recorded, "activeManifest", "success")}
    for old in item.get("validation_status") or ():
        code = _code(old)
        if not (_FINE.search(code) or old.get("success") is True):
            failures.add(code)
    for deeper in recorded.get("ingredientDeltas") or ():
        failures |= {_code(one) for one in _items(deeper, "validationDeltas", "failure")}
    vouched = "signingCredential.trusted" in successes
    for delta in deltas.get(f"self#jumbf=/c2pa/{owner}/c2pa.assertions/{item.get('label')}", ()):
        new = {_code(one) for one in _items(delta, "failure")}
        failures |= new
        vouched = vouched or "signingCredential.trusted" in {_code(one) for one in _items(delta, "success")}
        vouched = vouched and not new & _NOT_TAMPERING
    title = item.get("title")
    manifest = item.get("active_manifest")
    return _Ingredient(
        owner=owner,
        title=_clean(title) if isinstance(title, str) and title else None,
        relationship=_clean(str(item.get("relationship", "")))[:40],
        manifest=str(manifest) if manifest else None,
        failures=frozenset(code for code in failures if not _FINE.search(code)),
        vouched=vouched,
    )


def _actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for assertion in manifest.get("assertions") or ():
        if str(assertion.get("label", "")).startswith("c2pa.actions") and isinstance(assertion.get("data"), dict):
            for action in assertion["data"].get("actions") or ():
                if isinstance(action, dict):
                    yield action


def _agent(agent: Any) -> str | None:
    if isinstance(agent, dict):
        name, version = agent.get("name"), agent.get("version")
        return _clean(f"{name} {version}" if version else str(name)) if name else None
    return _text(agent)


# --- 4. the binding

_UNBOUND_BOXES = frozenset({"/uuid", "/ftyp", "/mfra", "/free", "/skip", "/emsg"})
"""Boxes without samples that the C2PA hash may leave out. Source: C2PA 2.4, BMFF-based hash; c2pa-rs 0.91.3 adds
free and skip, which is why samples must be seen to lie in mdat."""
_OLD_OFFSETS = ("/meta/iloc", "/mfra/tfra", "/stco", "/co64", "/tfhd", "/trun")
"""Offsets that c2pa.hash.bmff and .v2 (C2PA 1.x) leave out because embedding a manifest moves them."""


def _binding(detailed: Mapping[str, Any] | None, active: str, layout: bmff.Layout | None) -> Iterator[Problem]:
    """What the hashes of the manifests leave out, of pictures and sound."""
    if layout is not None and layout.samples_in_mdat is False:
        yield _problem("samplesOutsideHash")
    for label, manifest in ((detailed or {}).get("manifests") or {}).items():
        for name, assertion in (manifest.get("assertion_store") or {}).items():
            if name.startswith("c2pa.hash.bmff") and isinstance(assertion, dict):
                left_out = sorted(set(_unbound(name, assertion)))
                if left_out:
                    code = "hashExclusions" if label == active else "ingredient.hashExclusions"
                    yield _problem(code, detail=", ".join(left_out))


def _unbound(name: str, assertion: Mapping[str, Any]) -> Iterator[str]:
    for exclusion in assertion.get("exclusions") or ():
        box = _clean(str(exclusion.get("xpath", "")))
        if box in _UNBOUND_BOXES and (box != "/uuid" or exclusion.get("data")):
            continue
        if box == "/mdat" and assertion.get("merkle"):
            continue  # its pieces are hashed one by one instead
        if not name.startswith("c2pa.hash.bmff.v3") and box.endswith(_OLD_OFFSETS):
            continue
        yield box or "?"


# --- 5. who vouches


def _vouching_list(doc: Mapping[str, Any], active: str, trust: Trust) -> str | None:
    """URI of the manifest list that vouches for the outermost signer; None where none does.

    Read from the outermost signature's own entry: the report's `trustListUri` can name an ingredient's list, and
    a root given for time-stamps also makes the library say trusted.
    """
    signature = f"self#jumbf=/c2pa/{active}/c2pa.signature"
    allowed = trust.uris(Purpose.MANIFEST)
    for item in _items(doc.get("validation_results") or {}, "activeManifest", "success"):
        if item.get("code") == "signingCredential.trusted" and item.get("url") == signature:
            match = re.search(r"found in \[([^\[\]]*)\] trust anchors$", str(item.get("explanation", "")))
            if match and match[1] in allowed:
                return match[1]
    return None


def _seal(doc: Mapping[str, Any], problems: list[Problem], chain: _Chain, uri: str | None) -> Seal:
    """The worst of what was found. The library's own state is never improved on."""
    codes = {problem.code for problem in problems}
    if chain.fatal() or codes & {"multipleParents", "samplesOutsideHash", "hashExclusions", "claim.missing"}:
        return Seal.INVALID
    state = doc.get("validation_state")
    if state not in ("Trusted", "Valid"):
        return Seal.INVALID
    tampering = {f"ingredient.{code}" for code in _NOT_TAMPERING}
    if any(code.startswith("ingredient.") and code not in tampering for code in codes):
        return Seal.TAINTED
    if state == "Trusted" and uri is not None and not codes & tampering:
        return Seal.TRUSTED
    return Seal.VALID


def _cawg(code: str) -> bool:
    """Identity assertions speak about persons, not about the bytes."""
    return code.startswith("cawg.")


# --- 6. AI


def _judged(labels: tuple[AigcLabel, ...], sealed: Mapping[str, Any] | None) -> AigcLabel | None:
    """The label to report: a conforming one before any other, compared with the sealed copy."""
    if not labels:
        return None
    label = next((one for one in labels if one.conforming), labels[0])
    return label if sealed is None else replace(label, agrees_with_seal=all(one.fields == sealed for one in labels))


def _label_problems(
    labels: tuple[AigcLabel, ...], label: AigcLabel | None, sealed: Mapping[str, Any] | None, kind: str
) -> Iterator[Problem]:
    if len(labels) > 1:
        yield _problem("aigc.duplicate", detail=", ".join(one.carrier for one in labels[:8]))
    if label is not None and not label.conforming and len(labels) == 1:
        yield _problem("aigc.nonconforming", detail=label.carrier)
    if label is not None and label.agrees_with_seal is False:
        yield _problem("aigc.disagreesWithSeal", detail=label.carrier)
    if label is None and sealed is not None and kind in aigc.EMBEDS:
        yield _problem("aigc.onlyInSeal")


def _disclosure(
    seal: Seal, chain: _Chain | None, label: AigcLabel | None, declared: tuple[traces.Trace, ...]
) -> AiDisclosure:
    if chain is not None and seal is not Seal.INVALID:
        for link in chain.links():
            kinds = {kind.rstrip("/").rsplit("/", 1)[-1].lower() for kind in link.digital_source_types}
            if link.state == "ok" and kinds & traces.AI_SOURCE_TYPES:
                return AiDisclosure.SIGNED
    if label is not None and label.fields.get("Label") == "1":
        return AiDisclosure.LABELLED
    if label is not None or any(trace.generator for trace in declared):
        return AiDisclosure.DECLARED
    return AiDisclosure.NONE


def _listed(declared: tuple[traces.Trace, ...]) -> tuple[str, ...]:
    """Traces as the report lists them: models and tools before the nodes of a graph."""
    order = {"model": 0, "software": 1, "source_type": 2, "setting": 3, "prompt_sha256": 4, "node": 5}
    return _unique(str(trace) for trace in sorted(declared, key=lambda trace: order[trace.kind]))


# --- words


def _clean(text: str) -> str:
    """`text` from a hostile file as one printable line of at most 200 characters, without direction marks."""
    flat = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[:1000])
    return " ".join(flat.split())[:200]


def _text(value: Any) -> str | None:
    return _clean(value) if isinstance(value, str) and value else None


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _problem(code: str, where: str | None = None, *, detail: str = "") -> Problem:
    """The problem with its sentences; `detail` is what the file or the library said, appended to both."""
    base = code.removeprefix("ingredient.")
    zh, en = _WORDS.get(code) or _WORDS.get(base) or _by_family(base)
    if code.startswith("ingredient.") and code not in _WORDS:
        zh, en = f"制作来源（素材）有问题：{zh}", f"Something this file was made from is not sound: {en}"
    said = _clean(detail)
    return Problem(code, f"{zh}（{said}）" if said else zh, f"{en} ({said})" if said else en, where)


def _by_family(code: str) -> tuple[str, str]:
    for ending, words in _FAMILIES.items():
        if code.endswith(ending):
            return words[0].format(code=code), words[1].format(code=code)
    return f"C2PA 校验未通过（{code}）。", f"The C2PA check failed ({code})."


_CHANGED = (
    "文件内容在签名之后被改动过。请提交签名后未经改动的原文件，或重新签名。",
    "The content was changed after it was signed. Submit the file as it was signed, or have it signed again.",
)
_WORDS: dict[str, tuple[str, str]] = {
    "assertion.dataHash.mismatch": _CHANGED,
    "assertion.bmffHash.mismatch": _CHANGED,
    "assertion.boxesHash.mismatch": _CHANGED,
    "assertion.hashedURI.mismatch": (
        "清单中的声明在签名之后被改动过。请重新签名。",
        "A statement in the manifest was changed after it was signed. Have the file signed again.",
    ),
    "assertion.notRedacted": (
        "清单声称已删去某项内容，但该内容仍在文件中。请用编辑方式重新签名，使其真正被删去。",
        "The manifest says something was redacted, but it is still in the file. Redact it for real and sign again.",
    ),
    "claimSignature.mismatch": (
        "签名与清单不符。请用签名者自己的密钥重新签名。",
        "The signature does not fit the manifest. Have the file signed again with the signer's own key.",
    ),
    "claim.missing": ("清单里没有有效的声明。", "The manifest store holds no active claim."),
    "manifest.missing": ("被引用的来源清单缺失。", "The manifest it refers to is missing."),
    "signingCredential.untrusted": (
        "没有任何已配置的信任列表为签名者担保。如信任该签名者，请用 --trust 加入其根证书。",
        "No configured trust list vouches for the signer. If you trust them, add their root with --trust.",
    ),
    "signingCredential.expired": (
        "签名证书已过期，且没有可信时间戳证明签名时证书有效。请用有效证书重新签名。",
        "The signer's certificate has expired and no trusted time-stamp shows it was valid when signing. Sign again.",
    ),
    "signingCredential.invalid": (
        "签名证书不能用于 C2PA 签名。请换用用途正确的证书。",
        "The signer's certificate is not meant for C2PA signing. Use one with the right key usage.",
    ),
    "signingCredential.ocsp.revoked": ("签名证书已被吊销。", "The signer's certificate was revoked."),
    "multipleParents": (
        "清单声称有不止一个父文件，C2PA 只允许一个。请只以一个父文件重新签名。",
        "The manifest names more than one parent; C2PA allows exactly one. Sign again with one parent.",
    ),
    "samplesOutsideHash": (
        "部分音视频数据不在 mdat 盒中，签名的哈希不覆盖它们，可在签名后被替换。请重新封装后再签名。",
        "Some pictures or sound lie outside the mdat boxes, where the seal's hash does not look, and could be swapped"
        " after signing. Remux the file, then sign it.",
    ),
    "hashExclusions": (
        "签名的哈希排除了不应排除的部分，这些部分可在签名后被替换。请用默认排除项重新签名。",
        "The seal's hash leaves out parts it must cover, which could be swapped after signing. Sign again with the"
        " standard exclusions.",
    ),
    "remoteManifest": (
        "文件只给出远程清单的网址；系统从不联网获取。请嵌入清单，或附上 .c2pa 文件。",
        "The file only names a manifest on the web, which is never fetched. Embed it, or supply it as a .c2pa file.",
    ),
    "manifest.malformed": (
        "文件里有 C2PA 清单，但无法读取。请提交完整的原文件，或重新签名。",
        "The file holds a C2PA manifest that cannot be read. Submit the complete original, or have it signed again.",
    ),
    "sidecar.malformed": (
        "旁附的 .c2pa 文件不是可读的清单。请附上签名时得到的那一份。",
        "The .c2pa file beside this one is not a readable manifest. Supply the one that signing produced.",
    ),
    "sidecar.tooLarge": (
        "旁附的 .c2pa 文件超过 64 MiB，不予读取。",
        "The .c2pa file beside this one is larger than 64 MiB and is not read.",
    ),
    "file.empty": ("文件为空。", "The file is empty."),
    "file.malformed": (
        "文件结构损坏，无法查找清单。请提交完整的文件。",
        "The file is broken, so no manifest can be looked for. Submit the complete file.",
    ),
    "file.tooManyBoxes": (
        "文件由异常多的碎块组成，为防拖垮校验而不予解析。请重新封装后再提交。",
        "The file is made of absurdly many small pieces and is not parsed, lest it stall the check. Remux it.",
    ),
    "aigc.duplicate": (
        "文件带有不止一个 AIGC 标识，标准只允许一个。请只保留一个。",
        "The file carries more than one AIGC label; the standard allows exactly one. Keep one.",
    ),
    "aigc.nonconforming": (
        "AIGC 标识不符合 GB 45438-2025 附录 E（字段或取值）。请重新写入。",
        "The AIGC label breaks GB 45438-2025 Annex E (fields or values). Write it again.",
    ),
    "aigc.disagreesWithSeal": (
        "元数据中的 AIGC 标识与签名清单中的副本不一致。请先写标识，再签名。",
        "The AIGC label in the metadata differs from its signed copy. Write the label first, then sign.",
    ),
    "aigc.onlyInSeal": (
        "签名清单记有 AIGC 标识，但文件元数据中没有。请先写标识，再签名。",
        "The manifest repeats an AIGC label that the file's metadata lacks. Write the label first, then sign.",
    ),
}  # fmt: skip
_FAMILIES: dict[str, tuple[str, str]] = {
    ".mismatch": (
        "内容与签名时不符（{code}）。请提交签名后未经改动的原文件。",
        "Something differs from what was signed ({code}). Submit the file as it was signed.",
    ),
    ".missing": (
        "清单缺少必需的部分（{code}）。请重新签名。",
        "The manifest lacks a part it must have ({code}). Have the file signed again.",
    ),
    ".untrusted": (
        "没有已配置的信任列表为其担保（{code}）。",
        "No configured trust list vouches for it ({code}).",
    ),
    ".malformed": (
        "清单不符合 C2PA 规范（{code}）。请用符合规范的工具重新签名。",
        "The manifest breaks a rule of C2PA ({code}). Sign again with a conforming tool.",
    ),
}
