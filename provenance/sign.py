"""Sealing a file: what it is, how it came to be, and from what, signed into a C2PA manifest and read back.

Order of things: edits, visible label, AIGC metadata, and the seal last, because whatever is written after it
breaks it. Nothing here trusts the library's word that signing went well (0.38.1 has written files that every
reader rejects without raising): the result is checked as anyone else's file is before it gets its name.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import c2pa

from provenance import aigc, bmff, carriers
from provenance.asset import Asset, AssetKind, TimeRange, digest
from provenance.check import BOXED, MIME, SIDECAR_SUFFIX, check, context
from provenance.failure import Refused
from provenance.files import replacing, same_file
from provenance.keys import Identity, Trust
from provenance.report import ProvenanceReport, Seal

INCEPTIONS = ("c2pa.created", "c2pa.opened")
_NON_EDITORIAL = frozenset(
    {
        "c2pa.converted", "c2pa.published", "c2pa.repackaged", "c2pa.transcoded", "c2pa.resized.proportional",
        "c2pa.enhanced", "c2pa.edited.metadata", "c2pa.watermarked.bound", "c2pa.watermarked.unbound",
        "c2pa.redacted", "c2pa.placed",
    }
)  # fmt: skip
"""Actions that need no digital source type. Source: C2PA asset rubric, conformance 0.2 for spec 2.4 (2026-08-06)."""
ACTIONS = (
    "c2pa.addedText", "c2pa.adjustedColor", "c2pa.changedSpeed", "c2pa.converted", "c2pa.created", "c2pa.cropped",
    "c2pa.deleted", "c2pa.drawing", "c2pa.dubbed", "c2pa.edited", "c2pa.edited.metadata", "c2pa.enhanced",
    "c2pa.filtered", "c2pa.mastered", "c2pa.mixed", "c2pa.opened", "c2pa.orientation", "c2pa.placed",
    "c2pa.published", "c2pa.redacted", "c2pa.remixed", "c2pa.removed", "c2pa.repackaged", "c2pa.resized",
    "c2pa.resized.proportional", "c2pa.transcoded", "c2pa.translated", "c2pa.trimmed", "c2pa.unknown",
    "c2pa.watermarked.bound", "c2pa.watermarked.unbound",
)  # fmt: skip
"""Every action a seal may name. Source: C2PA 2.4 actions as the conformance rubric of 2026-08-06 lists them."""

ASSET_ASSERTION = "cn.dramagate.asset"
_EXTRA_MIME = {
    "json": "application/json", "txt": "text/plain", "md": "text/markdown", "fountain": "text/plain",
    "srt": "application/x-subrip", "vtt": "text/vtt", "mkv": "video/x-matroska", "webm": "video/webm",
    "ogg": "audio/ogg",
}  # fmt: skip
_RESERVED = ("c2pa.", "stds.", "cawg.", "org.contentauth.", ASSET_ASSERTION, aigc.ASSERTION)


class SignError(Refused):
    """The file was not sealed, and nothing was written. One sentence: what, where, what to do."""


class SourceType(StrEnum):
    """How content came to be. Source: IPTC digital source type vocabulary."""

    TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    """A trained model made it."""
    COMPOSITE_WITH_TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    """Put together from parts, some of which a trained model made."""
    COMPOSITE_SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
    ALGORITHMIC = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
    """A program without training data made it."""
    COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/composite"
    DIGITAL_CREATION = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
    """A person made it with a program that invents nothing."""
    HUMAN_EDITS = "http://cv.iptc.org/newscodes/digitalsourcetype/humanEdits"
    DIGITAL_CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    COMPUTATIONAL_CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/computationalCapture"
    SCREEN_CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/screenCapture"

    @classmethod
    def named(cls, word: str) -> SourceType:
        """The type whose URI or last part is `word`. Raises SignError with the nearest spelling."""
        short = {member.value.rsplit("/", 1)[1]: member for member in cls}
        if word.rsplit("/", 1)[-1] in short:
            return short[word.rsplit("/", 1)[-1]]
        raise SignError(f"{word!r} is not a digital source type; {_nearest(word, list(short))}")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done to make the file, as the seal tells it."""

    name: str
    """One of ACTIONS; the "c2pa." may be left out."""
    source_type: str | None = None
    """A SourceType, its URI or its last part. Needed for c2pa.created and for every change that is seen or heard."""
    tool: str | None = None
    tool_version: str | None = None
    ingredients: tuple[str, ...] = ()
    """Labels of the ingredients it used."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """More facts; every key needs a dot ("cn.dramagate.policy"), as C2PA wants of custom keys."""
    ranges: tuple[TimeRange, ...] = ()
    """The stretches of time it changed or took out."""
    description: str | None = None

    def __post_init__(self) -> None:
        """Spell the name and source type out, and refuse what C2PA refuses."""
        full = self.name if self.name.startswith("c2pa.") else f"c2pa.{self.name}"
        if full not in ACTIONS:
            raise SignError(f"{self.name!r} is not a C2PA action; {_nearest(full, list(ACTIONS))}")
        object.__setattr__(self, "name", full)
        if self.source_type is not None:
            object.__setattr__(self, "source_type", SourceType.named(self.source_type).value)
        if full == "c2pa.opened" and self.source_type is not None:
            raise SignError("c2pa.opened takes no digital source type: what was opened has its own")
        if self.source_type is None and full != "c2pa.opened" and full not in _NON_EDITORIAL:
            raise SignError(f"{full} needs a digital source type, such as trainedAlgorithmicMedia or humanEdits")
        for key in self.parameters:
            if "." not in key:
                raise SignError(f"parameter {key!r} of {full} needs a name with a dot, such as cn.dramagate.{key}")

    @classmethod
    def parse(cls, text: str) -> Action:
        """The action of "name" or "name=sourceType", as a command line gives it.

        An edit without a type is one a person made: humanEdits. Raises SignError with the nearest spelling.
        """
        name, _, kind = text.partition("=")
        full = name if name.startswith("c2pa.") else f"c2pa.{name}"
        if not kind and full in ACTIONS and full not in _NON_EDITORIAL and full not in INCEPTIONS:
            kind = "humanEdits"
        return cls(name, source_type=kind or None)

    def to_json(self) -> dict[str, Any]:
        """The action as the manifest holds it."""
        doc: dict[str, Any] = {"action": self.name}
        if self.tool:
            doc["softwareAgent"] = {"name": self.tool} | ({"version": self.tool_version} if self.tool_version else {})
        if self.source_type:
            doc["digitalSourceType"] = self.source_type
        if self.description:
            doc["description"] = self.description
        if self.ranges:
            doc["changes"] = [{"region": [{"type": "temporal", "time": _npt(where)}]} for where in self.ranges]
        parameters = dict(self.parameters)
        if self.ingredients:
            parameters["ingredientIds"] = list(self.ingredients)
        if parameters:
            doc["parameters"] = parameters
        return doc


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that went into the one being sealed."""

    path: Path
    relationship: str
    """parentOf: it is a version of this. componentOf: it is part of this. inputTo: it steered the making of this."""
    label: str
    """A name unique in one seal, by which actions refer to it."""
    sidecar: Path | None = None
    """Its manifest; None means `<path>.c2pa` where there is one, else inside the file."""
    title: str | None = None

    def __post_init__(self) -> None:
        """Refuse relationships and labels C2PA does not know."""
        known = ["parentOf", "componentOf", "inputTo"]
        if self.relationship not in known:
            raise SignError(f"{self.relationship!r} is not a relationship; {_nearest(self.relationship, known)}")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", self.label):
            raise SignError(
                f"{self.label!r} cannot be an ingredient's label; use letters, digits, dot, dash, underscore"
            )


@dataclass(frozen=True, slots=True)
class Signed:
    """A sealed file."""

    asset: Asset
    sidecar: Path | None
    """Where the manifest lies when the format cannot hold it; None where it is inside."""


def sign(
    src: Path,
    out: Path,
    *,
    kind: AssetKind,
    identity: Identity,
    trust: Trust,
    title: str,
    actions: Sequence[Action],
    ingredients: Sequence[Ingredient] = (),
    assertions: Mapping[str, Any] | None = None,
    aigc: Mapping[str, Any] | None = None,
) -> Signed:
    """`src` sealed as `out`, verified before it appears there; `src` is never touched.

    The manifest goes into the file where its format can hold one, else into `<out>.c2pa` beside a byte copy.
    Exactly one action comes first: c2pa.created (with its source type), or c2pa.opened, which is added where an
    ingredient is the parent and no action says so. Components that no action names are told as c2pa.placed.
    `aigc` repeats the AIGC label that `src` already carries; a conforming label in `src` is repeated by itself.

    Raises SignError, and writes nothing, where: an ingredient is tampered with or tainted; `src` carries a seal
    and no parent is named (its history would be lost); samples lie where the seal's hash does not look; the story
    breaks a rule of C2PA; or the result is not trusted under `trust`. OSError where a file cannot be read or written.
    """
    _must_differ(src, out, ingredients)
    carrier = carriers.container(src)
    story = _story(actions, ingredients)
    label = _label(src, carrier, aigc)
    _must_be_sealable(src, carrier, trust, ingredients)
    reports = {one.label: _must_be_sound(one, trust) for one in ingredients}
    manifest = _manifest(kind, title, story, assertions or {}, label)
    beside = carrier not in MIME
    sidecar = out.with_name(out.name + SIDECAR_SUFFIX)
    with ExitStack() as stack:
        fresh_sidecar = stack.enter_context(replacing(sidecar)) if beside else None
        fresh = stack.enter_context(replacing(out))
        store = _seal(src, fresh, carrier, manifest, identity, trust, ingredients, reports)
        if fresh_sidecar is not None:
            shutil.copyfile(src, fresh)
            fresh_sidecar.write_bytes(store)
        _must_verify(check(fresh, trust, sidecar=fresh_sidecar), src)
        sha256 = digest(fresh)
    _carry_label_note(src, out)
    return Signed(Asset(sha256, kind, out), sidecar if beside else None)


# --- below: what is refused before anything is written


def _must_differ(src: Path, out: Path, ingredients: Sequence[Ingredient]) -> None:
    sidecar = out.with_name(out.name + SIDECAR_SUFFIX)
    for given in (src, *(one.path for one in ingredients), *(one.sidecar for one in ingredients if one.sidecar)):
        for written in (out, sidecar):
            if same_file(given, written):
                raise SignError(f"{given}: would be overwritten by the sealed file; choose another output")
    if out.is_dir():
        raise SignError(f"{out}: is a folder; name the file to write")


def _story(actions: Sequence[Action], ingredients: Sequence[Ingredient]) -> list[Action]:
    """The actions as the seal tells them: one inception first, every ingredient named by one of them."""
    labels = [one.label for one in ingredients]
    for label in labels:
        if labels.count(label) > 1:
            raise SignError(f"two ingredients are called {label!r}; give each its own label")
    parents = [one.label for one in ingredients if one.relationship == "parentOf"]
    if len(parents) > 1:
        raise SignError(f"{len(parents)} ingredients are called the parent; C2PA allows exactly one, use componentOf")
    story = list(actions)
    starts = [action for action in story if action.name in INCEPTIONS]
    if not starts and parents:
        story.insert(0, Action("c2pa.opened"))
    elif not starts:
        raise SignError("no action says how the file came to be; begin with c2pa.created, or name a parent")
    elif len(starts) > 1 or story[0] is not starts[0]:
        raise SignError("exactly one of c2pa.created and c2pa.opened must come, and first")
    if story[0].name == "c2pa.created" and parents:
        raise SignError("a file with a parent was opened, not created; leave c2pa.created out or make it a component")
    if story[0].name == "c2pa.opened":
        if not parents:
            raise SignError("c2pa.opened needs the file that was opened as an ingredient with relationship parentOf")
        story[0] = replace(story[0], ingredients=(parents[0],))
    for action in story:
        for label in action.ingredients:
            if label not in labels:
                raise SignError(
                    f"{action.name} names ingredient {label!r}, which is not given; {_nearest(label, labels)}"
                )
    told = {label for action in story for label in action.ingredients}
    placed = tuple(one.label for one in ingredients if one.relationship == "componentOf" and one.label not in told)
    if placed:
        story.append(Action("c2pa.placed", ingredients=placed))
    inputs = tuple(one.label for one in ingredients if one.relationship == "inputTo" and one.label not in told)
    if inputs:
        index = next((n for n, action in enumerate(story) if action.name != "c2pa.opened"), None)
        if index is None:
            raise SignError(f"no action says what {inputs[0]!r} was input to; add one and name it there")
        story[index] = replace(story[index], ingredients=(*story[index].ingredients, *inputs))
    return story


def _label(src: Path, carrier: str, stated: Mapping[str, Any] | None) -> dict[str, str] | None:
    """The AIGC label the seal repeats: what `src` carries, which must be what the caller states."""
    found = aigc.read(src)
    wanted = None
    if stated is not None:
        try:
            wanted = aigc.Label.of(stated).fields()
        except aigc.LabelError as error:
            raise SignError(f"{src}: {error}") from error
    if len(found) > 1:
        raise SignError(f"{src}: carries {len(found)} AIGC labels; write one with provenance.aigc.write before sealing")
    if found:
        if wanted is not None and found[0].fields != wanted:
            raise SignError(f"{src}: carries another AIGC label than the one to seal; write that one before sealing")
        return found[0].fields if found[0].conforming else wanted
    if wanted is not None and carrier in aigc.EMBEDS:
        raise SignError(f"{src}: does not carry the AIGC label to seal; write it with provenance.aigc.write first")
    return wanted


def _must_be_sealable(src: Path, carrier: str, trust: Trust, ingredients: Sequence[Ingredient]) -> None:
    if src.stat().st_size == 0:
        raise SignError(f"{src}: is empty; there is nothing to seal")
    if carrier in BOXED:
        layout = bmff.survey(src)
        if layout.too_many_boxes:
            raise SignError(f"{src}: is made of absurdly many boxes; remux it with provenance.media.remux first")
        if layout.malformed:
            raise SignError(f"{src}: {layout.malformed}; remux it with provenance.media.remux first")
        if layout.samples_in_mdat is None:
            raise SignError(f"{src}: has no pictures or sound in it; there is nothing to seal")
        if not layout.samples_in_mdat:
            raise SignError(
                f"{src}: some samples lie outside mdat, where the seal's hash does not look;"
                " remux it with provenance.media.remux first"
            )
    if carrier == "svg" and _closes_itself(src):
        raise SignError(f"{src}: its <svg/> closes itself, so it has no inside to hold a seal; write it as <svg></svg>")
    if any(one.relationship == "parentOf" for one in ingredients):
        return
    held = check(src, trust)
    if held.seal is not Seal.ABSENT:
        raise SignError(f"{src}: already carries a seal, whose history would be lost; name it as the parent")


_SVG_ROOT = re.compile(
    rb"""(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*+"""
    rb"""<(?:[\w.-]+:)?svg((?:[^>"']|"[^"]*"|'[^']*')*+)>""",
    re.DOTALL,
)
"""What may come before the root of an SVG, and its first tag with what is in it."""


def _closes_itself(src: Path) -> bool:
    """Whether an SVG's root is one empty tag, which c2pa-rs 0.91.3 does not take for a root."""
    with src.open("rb") as file:
        match = _SVG_ROOT.match(file.read(1 << 20))
    return match is not None and match[1].endswith(b"/")


def _must_be_sound(one: Ingredient, trust: Trust) -> ProvenanceReport:
    """The ingredient's own provenance. Nothing later would notice a tampered one, so it is refused here."""
    report = check(one.path, trust, sidecar=one.sidecar)
    if report.seal in (Seal.INVALID, Seal.TAINTED):
        why = report.problems[0].en if report.problems else ""
        raise SignError(f"{one.path}: cannot go into a sealed file, its own provenance is {report.seal.value}: {why}")
    return report


def _must_verify(report: ProvenanceReport, src: Path) -> None:
    """The seal must hold and its signer be vouched for; ingredients nobody vouches for do not stop it."""
    sound = report.seal is Seal.TRUSTED or (report.seal is Seal.VALID and report.trust_list is not None)
    if not sound:
        why = "; ".join(problem.en for problem in report.problems) or "no reason is given"
        raise SignError(f"{src}: the sealed file reads back as {report.seal.value}, so it was not kept: {why}")


# --- below: the manifest


def _manifest(
    kind: AssetKind, title: str, story: Sequence[Action], extra: Mapping[str, Any], label: Mapping[str, str] | None
) -> dict[str, Any]:
    if not title.strip() or not title.isprintable() or len(title) > 200:
        raise SignError(f"{title!r} cannot be a title; use one line of at most 200 printable characters")
    told = {"actions": [action.to_json() for action in story], "allActionsIncluded": True}
    stated: list[dict[str, Any]] = [
        {"label": "c2pa.actions.v2", "created": True, "data": told},
        {"label": ASSET_ASSERTION, "created": True, "data": {"kind": kind.value}},
    ]
    if label is not None:
        stated.append({"label": aigc.ASSERTION, "created": True, "data": dict(label)})
    for name, data in extra.items():
        if name.startswith(_RESERVED) or not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9_-]+)+", name):
            raise SignError(f"{name!r} cannot be an assertion of ours; use a name such as cn.dramagate.review")
        stated.append({"label": name, "created": True, "data": data})
    try:
        version = importlib.metadata.version("dramagate")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    manifest = {
        "title": title,
        "claim_generator_info": [{"name": "dramagate", "version": version, "specVersion": "2.4.0"}],
        "assertions": stated,
    }
    try:
        json.dumps(manifest, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SignError(f"an assertion or parameter cannot be written as JSON: {error}") from error
    return manifest


def _seal(
    src: Path,
    fresh: Path,
    carrier: str,
    manifest: Mapping[str, Any],
    identity: Identity,
    trust: Trust,
    ingredients: Sequence[Ingredient],
    reports: Mapping[str, ProvenanceReport],
) -> bytes:
    """Write the sealed `src` to `fresh`; the manifest store. Library objects live and die in this call."""
    try:
        with ExitStack() as stack:
            own = stack.enter_context(context(trust))
            info = c2pa.C2paSignerInfo(identity.alg.encode(), identity.chain_pem, identity.key_pem, None)
            signer = stack.enter_context(c2pa.Signer.from_info(info))
            builder = stack.enter_context(c2pa.Builder(dict(manifest), own))
            for one in ingredients:
                _add(builder, one, own, sealed=reports[one.label].seal is not Seal.ABSENT)
            if carrier not in MIME:
                builder.set_no_embed()
            source = stack.enter_context(src.open("rb", buffering=1 << 20))
            target = stack.enter_context(fresh.open("w+b", buffering=1 << 20))
            return bytes(builder.sign(signer, _mime(carrier), source, target))
    except c2pa.C2paError as error:
        raise SignError(f"{src}: could not be sealed: {error}") from error


def _add(builder: c2pa.Builder, one: Ingredient, own: c2pa.Context, *, sealed: bool) -> None:
    carrier = carriers.container(one.path)
    mime = _mime(carrier)
    doc: dict[str, Any] = {
        "title": one.title or one.path.name,
        "relationship": one.relationship,
        "label": one.label,
        "instance_id": f"urn:sha256:{digest(one.path)}",
    }
    beside = one.sidecar or one.path.with_name(one.path.name + SIDECAR_SUFFIX)
    with one.path.open("rb", buffering=1 << 20) as file:
        if not sealed or (one.sidecar is None and carrier in MIME and _embedded(file, mime, own)):
            file.seek(0)
            builder.add_ingredient(doc, mime, file)
            return
        store = beside.read_bytes()
        file.seek(0)
        with c2pa.Reader(mime, file, store, context=own) as reader:
            report = json.loads(reader.json())
        resource = f"{one.label}-manifest"
        builder.add_resource(resource, BytesIO(store))
        doc["active_manifest"] = report["active_manifest"]
        doc["manifest_data"] = {"format": "application/c2pa", "identifier": resource}
        doc["validation_results"] = {"activeManifest": report["validation_results"]["activeManifest"]}
        file.seek(0)
        builder.add_ingredient(doc, mime, file)


def _embedded(file: BinaryIO, mime: str, own: c2pa.Context) -> bool:
    try:
        with c2pa.Reader(mime, file, context=own):
            return True
    except c2pa.C2paError:
        return False


def _mime(carrier: str) -> str:
    return MIME.get(carrier) or _EXTRA_MIME.get(carrier, "application/octet-stream")


def _carry_label_note(src: Path, out: Path) -> None:
    """Copy the label that lies beside `src`, so that it lies beside `out` too."""
    note = src.with_name(src.name + carriers.LABEL_SIDECAR_SUFFIX)
    if note.is_file():
        with replacing(out.with_name(out.name + carriers.LABEL_SIDECAR_SUFFIX)) as fresh:
            shutil.copyfile(note, fresh)


def _npt(where: TimeRange) -> dict[str, str]:
    """A range in normal play time, exact to the microsecond."""
    start, end = (f"{at // 1_000_000}.{at % 1_000_000:06d}" for at in (where.start_us, where.end_us))
    return {"type": "npt", "start": start, "end": end}


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known) or 'none'}"
