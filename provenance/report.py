"""What the provenance check says of one file. Values only: a broken seal is a field, never an exception."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Seal(StrEnum):
    """The state of the whole chain, not only of the outermost manifest (design.md section 3)."""

    TRUSTED = "trusted"
    """Signed by a key of a configured list, and so is every ingredient that claims to be."""
    VALID = "valid"
    """The bytes are as signed, but nobody configured here vouches for the signer."""
    INVALID = "invalid"
    """The bytes are not what was signed, or the manifest breaks a rule of C2PA."""
    TAINTED = "tainted"
    """The outer manifest holds; something it was made from does not."""
    ABSENT = "absent"
    """No manifest in the file (or only a remote one, which is never fetched)."""


class AiDisclosure(StrEnum):
    """How firmly the file says it is AI-made; the strongest of the ways it says so."""

    SIGNED = "signed"
    """A digitalSourceType of algorithmic media inside a manifest that holds."""
    LABELLED = "labelled"
    """An AIGC metadata label (GB 45438-2025) with Label "1"."""
    DECLARED = "declared"
    """Unsigned generator metadata (a ComfyUI graph, A1111 parameters): declared, unverified."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the provenance, named by a stable code and said in both languages."""

    code: str
    """A C2PA status code as the specification spells it, or one of ours: "multipleParents",
    "samplesOutsideHash", "remoteManifest", "ingredient.<code>", "aigc.duplicate", ..."""
    zh: str
    en: str
    where: str | None = None
    """Title or label of the manifest or ingredient concerned; None for the file itself."""


@dataclass(frozen=True, slots=True)
class AigcLabel:
    """The implicit label of GB 45438-2025 Annex E as found, conforming or not."""

    fields: dict[str, str]
    """Label, ContentProducer, ProduceID, ReservedCode1, ContentPropagator, PropagateID, ReservedCode2."""
    carrier: str
    """Where it was found, e.g. "mp4:moov/udta/meta/keys", "png:tEXt", "jpeg:xmp", "wav:AIGC"."""
    conforming: bool
    copies: int
    """How many labels the file carries; the standard wants exactly one (6.1 c)."""
    agrees_with_seal: bool | None
    """Whether the signed copy (assertion cn.dramagate.aigc) says the same; None where there is none."""


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One manifest of the store, outermost first."""

    manifest: str
    title: str | None
    signer: str | None
    claim_generator: str | None
    relationship: str | None
    """parentOf | componentOf | inputTo; None for the active manifest."""
    state: str
    """ok | failed, as far as this manifest and its own ingredients' validation say."""
    actions: tuple[str, ...]
    digital_source_types: tuple[str, ...]
    tools: tuple[str, ...]
    """softwareAgent and claim generator names with versions."""


@dataclass(frozen=True, slots=True)
class ProvenanceReport:
    """Everything `provenance.check.check` found. `to_json` is the contract's `provenance` object."""

    seal: Seal
    problems: tuple[Problem, ...]
    ai_disclosure: AiDisclosure
    aigc: AigcLabel | None
    chain: tuple[ChainLink, ...]
    signer: str | None
    trust_list: str | None
    """URI of the configured list that vouches for the signer; None unless trusted."""
    generators: tuple[str, ...]
    """Generator traces outside the seal, "declared, unverified": model names, tools, software fields."""
    samples_in_hash: bool | None
    """Whether all coded samples lie inside hashed boxes; None where the container has none."""

    def to_json(self) -> dict[str, Any]:
        """A plain dict of JSON values; enums as their strings, tuples as lists."""
        doc: dict[str, Any] = _plain(asdict(self))
        return doc

    @classmethod
    def from_json(cls, doc: dict[str, Any]) -> ProvenanceReport:
        """The report `to_json` wrote. Raises KeyError or ValueError where `doc` is not one."""
        aigc = doc["aigc"]
        return cls(
            seal=Seal(doc["seal"]),
            problems=tuple(Problem(**p) for p in doc["problems"]),
            ai_disclosure=AiDisclosure(doc["ai_disclosure"]),
            aigc=None if aigc is None else AigcLabel(**aigc),
            chain=tuple(
                ChainLink(
                    **{
                        **link,
                        "actions": tuple(link["actions"]),
                        "digital_source_types": tuple(link["digital_source_types"]),
                        "tools": tuple(link["tools"]),
                    }
                )
                for link in doc["chain"]
            ),
            signer=doc["signer"],
            trust_list=doc["trust_list"],
            generators=tuple(doc["generators"]),
            samples_in_hash=doc["samples_in_hash"],
        )


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case StrEnum():
            return value.value
        case _:
            return value
