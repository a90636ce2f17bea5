"""Who allowed what: does a recorded consent or licence cover this use? Pure functions of the registry.

Three answers: YES only where a grant on record covers everything asked; NO where no grant does and none could once
more were known; UNKNOWN where the papers leave something open that a grant turns on. A malformed or half-filled
grant is never YES.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenance.registry import Registry, Work


class Covered(StrEnum):
    """Three-valued: not knowing is never no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry says about one matched person or work in one territory."""

    about: str
    """"person:..." or "work:..."."""
    attribute: str
    """face | voice | ... for a person; reproduce | synchronise | ... for a work."""
    territory: str
    covered: Covered
    grant: str | None
    """Id of the consent or licence that covers; None where none does."""
    why_zh: str
    why_en: str


EVERYWHERE = "*"
"""The territory of an answer where nobody said where the work is to be shown."""

ATTRIBUTES: tuple[tuple[str, str], ...] = (
    ("likeness.voice", "voice"),
    ("likeness.name", "name"),
    ("likeness", "face"),
    ("sexual", "face"),
    ("person.speaking", "voice"),
    ("person", "face"),
    ("copy.music", "synchronise"),
    ("copy.sound", "master_use"),
    ("copy.character", "adapt"),
    ("copy.script", "adapt"),
    ("copy.delisted_remake", "adapt"),
    ("copy", "reproduce"),
)
"""Which attribute of a person (consent.schema.json) or use of a work (rights.schema.json) a match of a category, or of
one below it, needs a grant for. The first that names it counts."""

USES: Mapping[str, tuple[str, ...]] = {
    "face": ("create_replica",),
    "voice": ("create_replica",),
    "full_body_motion": ("create_replica",),
    "name": ("new_performance",),
    "signature_style": ("new_performance",),
}
"""What an AI drama does with a person's attribute, as consent.schema.json names uses: showing a face that was never
filmed is a replica. A consent to dub or to translate does not reach that far."""

MEDIA: Mapping[str, str] = {
    "douyin": "short_video_app",
    "hongguo": "short_video_app",
    "kuaishou": "short_video_app",
    "tiktok": "short_video_app",
    "wechat_channels": "short_video_app",
    "wechat_miniprogram": "short_video_app",
    "dramabox": "short_video_app",
    "reelshort": "short_video_app",
    "dramawave": "short_video_app",
    "bilibili": "svod_avod",
    "long_video": "svod_avod",
    "youtube": "svod_avod",
    "satellite_tv": "tv",
    "iptv": "tv",
}
"""The medium (consent.schema.json) of each channel of the papers (episode.schema.json); "other" has none."""

EU = frozenset(
    "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split()  # noqa: SIM905
)


def answers(
    registry: Registry,
    subjects: Iterable[tuple[str, str]],
    works: Iterable[tuple[str, str]],
    papers: Mapping[str, Any] | None,
    territories: Sequence[str],
    as_of: datetime,
) -> tuple[Answer, ...]:
    """What the registry says about everyone and everything that matched, in each territory.

    `subjects` and `works` pair the id matched with the category of the finding. Where no territory is asked about,
    those of the papers count; where they name none either, the one answer is for "*", and only a grant for
    everywhere covers it. In order of id, attribute and territory.
    """
    papers = papers or {}
    places = tuple(dict.fromkeys(territories)) or tuple(dict.fromkeys(papers.get("territories") or ())) or (EVERYWHERE,)
    series_id = (papers.get("series") or {}).get("id")
    media = media_of(papers)
    persons = sorted({(who, attribute_of(category) or "face", _intimate(category)) for who, category in subjects})
    things = sorted({(what, attribute_of(category) or "reproduce") for what, category in works})
    found = [
        consent(
            registry.consents,
            who,
            attribute,
            uses=USES.get(attribute, ()),
            series_id=series_id,
            territory=place,
            media=media,
            on=as_of,
            intimate=intimate,
        )
        for who, attribute, intimate in persons
        for place in places
    ]
    found += [
        licence(registry, what, use, listed=papers.get("works"), territory=place, media=media, on=as_of)
        for what, use in things
        for place in places
    ]
    return tuple(_strictest(found))


def attribute_of(category: str) -> str | None:
    """The attribute or use a finding of `category` needs a grant for; None where it needs none."""
    within = (a for prefix, a in ATTRIBUTES if category == prefix or category.startswith(prefix + "."))
    return next(within, None)


def media_of(papers: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The media of the papers' channels and product; None where the papers do not say, or name a channel of no medium.

    An interactive drama and an advertisement are media of their own beside the channels.
    """
    papers = papers or {}
    channels = papers.get("channels")
    if not channels or any(c not in MEDIA for c in channels):
        return None
    media = {MEDIA[c] for c in channels}
    interactive = ((papers.get("episode") or {}).get("interactive") or {}).get("kind", "none")
    if interactive != "none":
        media.add("interactive")
    if (papers.get("episode") or {}).get("is_promo_cut") is True:
        media.add("advertising")
    return tuple(sorted(media))


def consent(
    consents: Iterable[Mapping[str, Any]],
    person: str,
    attribute: str,
    *,
    uses: Collection[str],
    series_id: str | None,
    territory: str,
    media: Collection[str] | None,
    on: datetime,
    intimate: bool = False,
    scene: str | None = None,
) -> Answer:
    """Whether one consent of `person` covers using `attribute` for all of `uses`, in one place, on one day.

    A consent covers if it is of that person and attribute; given by someone verified; signed and recorded; names all
    uses, the series, the territory and every medium; its term holds the day (both ends included); it was not
    revoked; separate biometric consent was given for face and voice; and for intimate scenes its rider is granted,
    signed separately, not expired, and names the `scene`.

    `series_id`, `media` or `scene` None is unknown: the answer can then be UNKNOWN or NO, never YES.
    """
    own = [c for c in consents if c["person"]["ref"] == person and c["attribute"] == attribute]
    judged = [
        (_consent(c, uses, series_id, territory, media, on, intimate=intimate, scene=scene), str(c["id"])) for c in own
    ]
    none = _No(f"没有 {person} 的 {attribute} 同意书", f"no consent of {person} for {attribute} is recorded")
    return _answer(person, attribute, territory, judged, none)


def licence(
    registry: Registry,
    work: str,
    use: str,
    *,
    listed: Collection[str] | None,
    territory: str,
    media: Collection[str] | None,
    on: datetime,
) -> Answer:
    """Whether one licence covers `use` of the registered `work`, in one place, on one day.

    A licence is of this work if one of its SHA-256 fingerprints is that of a reference of the work, or if kind and
    title are the work's and no other registered work has both. It covers if the papers rely on it (`listed`, ids of
    rights records); it grants the use; its chain of grantors is unbroken and every link but the last may sublicense;
    territory and media are named; its term holds the day; it was not revoked; and no restriction speaks against AI.

    A work of the operator's own catalogue makes no claim (work.schema.json) and is always covered.

    `listed` or `media` None is unknown: the answer can then be UNKNOWN or NO, never YES.
    """
    known = registry.works.get(work)
    if known is None:
        gone = _Maybe("登记库中没有此作品", f"{work} is not in the registry as it is now")
        return _answer(work, use, territory, [(gone, "")], gone)
    if known.record.get("own_catalogue") is True:
        zh, en = "运营方自有作品，不主张权利", "it is the operator's own and makes no claim"
        return Answer(work, use, territory, Covered.YES, work, zh, en)
    judged = []
    for record in registry.licences:
        match = _names(record, known, registry)
        if match is None:
            continue
        verdict = _licence(record, use, listed, territory, media, on)
        if not match and not isinstance(verdict, _No):
            verdict = _Maybe("授权指向的作品不唯一", "its title and kind name more than one registered work")
        judged.append((verdict, str(record["id"])))
    none = _No(f"没有 {work} 的授权", f"no licence of {work} is recorded")
    return _answer(work, use, territory, judged, none)


# ---- one grant against one use -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Yes:
    """It covers."""


@dataclass(frozen=True, slots=True)
class _No:
    """It does not, and why."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class _Maybe:
    """Nobody can say, and why."""

    zh: str
    en: str


_Says = _Yes | _No | _Maybe


def _consent(
    record: Mapping[str, Any],
    uses: Collection[str],
    series_id: str | None,
    territory: str,
    media: Collection[str] | None,
    on: datetime,
    *,
    intimate: bool,
    scene: str | None,
) -> _Says:
    scope = record["scope"]
    doubts: list[_Maybe] = []
    refused = (
        _revoked(record["revocation"].get("revoked_at"))
        or _out_of_term(record["term"], on)
        or _signed_after(record["contract"]["signed_at"], on)
        or _elsewhere(record["territories"], territory)
        or _missing_uses(scope["uses"], uses)
    )
    if refused is not None:
        return refused
    if record["attribute"] in ("face", "voice") and record.get("biometric_separate_consent") is not True:
        return _No("没有单独的生物识别同意", "separate consent to the use of biometric data is missing")
    if not record["grantor"]["identity_verified"]:
        doubts.append(_Maybe("授权人身份未核实", "the grantor's identity was not verified"))
    if not uses:
        doubts.append(_Maybe("用途不明", "what the likeness is used for is not known"))
    for says in (_of_series(scope["series_ids"], series_id), _named_media(record["media"], media)):
        if isinstance(says, _No):
            return says
        if isinstance(says, _Maybe):
            doubts.append(says)
    if scope.get("excluded_content"):
        doubts.append(_Maybe("同意书排除了部分内容，须人工核对", "it excludes content that only a person can judge"))
    if record["subject_status"] == "historical":
        doubts.append(_Maybe("历史人物须人工核对", "consent for a historical figure is judged by a person"))
    if intimate:
        rider = _rider(record, on, scene)
        if isinstance(rider, _No):
            return rider
        if isinstance(rider, _Maybe):
            doubts.append(rider)
    return doubts[0] if doubts else _Yes()


def _of_series(named: Sequence[str], series_id: str | None) -> _Says:
    if EVERYWHERE in named:
        return _Yes()
    if not named:
        return _Maybe("同意书未写明剧集", "it names no series; blanket wording is judged by a person")
    if series_id is None:
        return _Maybe("资料未写明剧集", "the papers do not say of which series this is")
    if series_id not in named:
        return _No(f"同意书不含剧集 {series_id}", f"it does not name the series {series_id}")
    return _Yes()


def _rider(record: Mapping[str, Any], on: datetime, scene: str | None) -> _Says:
    rider = record.get("intimate_rider") or {}
    if record["subject_status"] != "adult_living":
        return _No("亲密内容只能由在世成年人同意", "only a living adult can agree to intimate scenes")
    if rider.get("granted") is not True or rider.get("level") in (None, "none"):
        return _No("没有亲密内容附加条款", "there is no rider for intimate scenes")
    if rider.get("signed_separately") is not True or not rider.get("signature_sha256"):
        return _No("亲密内容附加条款未单独签署", "the rider for intimate scenes was not signed separately")
    expires = rider.get("expires_at")
    if expires is not None and _day(on) > date.fromisoformat(expires):
        return _No(f"亲密内容附加条款已于 {expires} 到期", f"the rider for intimate scenes expired on {expires}")
    if scene is None:
        return _Maybe("未写明场次", "which scene this is is not known")
    if scene not in (rider.get("scene_refs") or ()):
        return _No(f"附加条款不含场次 {scene}", f"the rider does not name the scene {scene}")
    return _Yes()


def _licence(
    record: Mapping[str, Any],
    use: str,
    listed: Collection[str] | None,
    territory: str,
    media: Collection[str] | None,
    on: datetime,
) -> _Says:
    restrictions = set(record.get("restrictions") or ())
    refused = (
        _revoked(record.get("revoked_at"))
        or _out_of_term(record["term"], on)
        or _elsewhere(_granted_places(record), territory)
        or _missing_uses(record["use"], (use,))
        or _broken_chain(record["grantor_chain"])
    )
    if refused is not None:
        return refused
    if "no_ai_generation" in restrictions:
        return _No("授权禁止用于人工智能生成", "it forbids use in AI-generated works")
    if "approval_required" in restrictions and not (record.get("adaptation_redline") or {}).get("approval_sha256"):
        return _No("改编须经批准而无批准文件", "changes need an approval that is not on record")
    if use in ("synchronise", "master_use"):
        music = record.get("music") or {}
        needed = ("composition_right", "recording_right")
        if record["basis"] != "owned" and not all(music.get(right) is True for right in needed):
            return _No("词曲权与录音权不齐", "composition and recording rights are not both granted")
    if record["basis"] == "public_domain" and (record.get("public_domain") or {}).get("edition_is_pd") is not True:
        return _Maybe("版本是否进入公有领域不明", "whether this edition is in the public domain is not known")
    named = _named_media(record["media"], media)
    if isinstance(named, _No):
        return named
    if listed is None:
        return _Maybe("资料未列出权利文件", "the papers do not list the rights they rely on")
    if record["id"] not in listed:
        return _No(f"资料未引用授权 {record['id']}", f"the papers do not rely on {record['id']}")
    if isinstance(named, _Maybe):
        return named
    if use == "adapt" and "no_character_change" in restrictions:
        return _Maybe("授权不许改变角色，须人工核对", "it allows no change of the character; a person compares")
    if (record.get("music") or {}).get("cue_us"):
        return _Maybe("授权限于特定片段，须人工核对", "it is for stated cues only; a person compares them")
    return _Yes()


def _granted_places(record: Mapping[str, Any]) -> Sequence[str]:
    """Where a licence holds: for the public domain only where both the record and the law of the place say so."""
    places: Sequence[str] = record["territories"]
    if record["basis"] != "public_domain":
        return places
    free: Sequence[str] = (record.get("public_domain") or {}).get("territories_pd") or ()
    return [p for p in free if _reaches(places, p)]


def _revoked(at: str | None) -> _No | None:
    """A revocation counts at once, whenever the work is to be published."""
    return None if at is None else _No(f"已于 {at} 撤回", f"it was revoked at {at}")


def _out_of_term(term: Mapping[str, Any], on: datetime) -> _No | None:
    day, start, end = _day(on), date.fromisoformat(term["from"]), term.get("to")
    if day < start:
        return _No(f"期限自 {start} 起", f"its term begins on {start}")
    if end is not None and day > date.fromisoformat(end):
        return _No(f"期限至 {end} 止", f"its term ended on {end}")
    return None


def _signed_after(signed_at: str, on: datetime) -> _No | None:
    signed = datetime.fromisoformat(signed_at)
    late = signed > on if signed.tzinfo is not None else signed.date() > _day(on)
    return _No(f"合同签于 {signed_at}", f"the contract was signed at {signed_at}, after publication") if late else None


def _day(on: datetime) -> date:
    """The calendar day of publication, in the time zone the papers state it in."""
    return on.date()


def _elsewhere(named: Sequence[str], territory: str) -> _No | None:
    if _reaches(named, territory):
        return None
    said = "、".join(named) or "无"
    return _No(
        f"地域为 {said}，不含 {territory}", f"it holds in {', '.join(named) or 'no territory'}, not in {territory}"
    )


def _reaches(named: Collection[str], territory: str) -> bool:
    """Whether one of `named` contains `territory`: itself, its country, the EU of its members, or the world."""
    if "WW" in named or EVERYWHERE in named or territory in named:
        return True
    country = territory.partition("-")[0]
    if territory == "EU":
        return set(named) >= EU
    return country in named or (country in EU and "EU" in named)


def _missing_uses(granted: Collection[str], uses: Collection[str]) -> _No | None:
    lacking = sorted(set(uses) - set(granted))
    return _No(f"未授权用途：{'、'.join(lacking)}", f"it does not grant {', '.join(lacking)}") if lacking else None


def _named_media(granted: Collection[str], media: Collection[str] | None) -> _Says:
    if media is None:
        return _Maybe("资料未写明发布渠道", "the papers do not say on which channels it appears")
    lacking = sorted(set(media) - set(granted))
    if lacking and EVERYWHERE not in granted and "all" not in granted:
        return _No(f"媒介不含 {'、'.join(lacking)}", f"it does not name the media {', '.join(lacking)}")
    return _Yes()


def _broken_chain(chain: Sequence[Mapping[str, Any]]) -> _No | None:
    for number, (link, following) in enumerate(pairwise(chain), 1):
        if link["to"] != following["from"]:
            return _No(f"授权链第 {number} 环断裂", f"its chain of grantors breaks after link {number}")
        if link.get("sublicence_allowed") is not True:
            return _No(f"授权链第 {number} 环不可转授权", f"link {number} of its chain may not sublicense")
    return None


KINDS: Mapping[str, frozenset[str]] = {
    "film": frozenset({"film", "footage", "drama"}),
    "series": frozenset({"drama", "footage"}),
    "short": frozenset({"film", "footage", "drama"}),
    "animation": frozenset({"film", "drama", "footage", "comic"}),
    "game": frozenset({"game"}),
    "picture": frozenset({"photo", "artwork"}),
    "character": frozenset({"character_design"}),
    "logo": frozenset({"trademark", "artwork"}),
    "music": frozenset({"music_composition", "sound_recording"}),
    "sound": frozenset({"sfx", "sound_recording"}),
    "script": frozenset({"script"}),
    "novel": frozenset({"novel"}),
    "font": frozenset({"font"}),
    "3d_mesh": frozenset({"3d_mesh"}),
    "lora": frozenset({"lora_weights"}),
    "dataset": frozenset({"dataset"}),
    "stock_library": frozenset({"footage", "photo", "artwork", "sfx", "music_composition", "sound_recording"}),
}
"""Which kinds of rights.schema.json may be about a work of each kind of work.schema.json."""


def _names(record: Mapping[str, Any], work: Work, registry: Registry) -> bool | None:
    """Whether a licence is about `work`: True for certain, False if others fit too, None if not."""
    licensed = record["work"]
    prints = {f["value"] for f in licensed.get("fingerprints") or () if f["algo"] == "sha256"}
    digests = {r.get("sha256") for r in work.record.get("references") or ()} - {None}
    if prints & digests:
        return True
    if licensed["kind"] not in KINDS.get(work.kind, frozenset()) or not _titled(work, licensed["title"]):
        return None
    alike = [
        w
        for w in registry.works.values()
        if licensed["kind"] in KINDS.get(w.kind, frozenset()) and _titled(w, licensed["title"])
    ]
    return len(alike) == 1


def _titled(work: Work, title: str) -> bool:
    names = work.record.get("names") or {}
    every = [work.title, names.get("zh"), names.get("en"), *(names.get("aliases") or ())]
    return _folded(title) in {_folded(t) for t in every if t}


def _folded(title: str) -> str:
    """A title without what type-setting adds: width, case, spaces, book-title marks."""
    return "".join(c for c in unicodedata.normalize("NFKC", title).casefold() if c.isalnum())


def _intimate(category: str) -> bool:
    return category.partition(".")[0] == "sexual"


def _answer(
    about: str, attribute: str, territory: str, judged: Iterable[tuple[_Says, str]], none: _No | _Maybe
) -> Answer:
    """The best that any one grant says; between grants that say the same, the first by id."""
    ranked = sorted(judged, key=lambda pair: (_RANK[type(pair[0])], pair[1]))
    says, grant = ranked[0] if ranked else (none, "")
    if isinstance(says, _Yes):
        return Answer(
            about, attribute, territory, Covered.YES, grant, f"{grant} 覆盖此用途", f"{grant} covers this use"
        )
    covered = Covered.UNKNOWN if isinstance(says, _Maybe) else Covered.NO
    prefix = f"{grant}: " if grant else ""
    return Answer(about, attribute, territory, covered, None, prefix + says.zh, prefix + says.en)


_RANK: Mapping[type, int] = {_Yes: 0, _Maybe: 1, _No: 2}


def _strictest(found: Iterable[Answer]) -> list[Answer]:
    """One answer for each person or work, attribute and territory: where an intimate scene asks more, that counts."""
    order = {Covered.YES: 0, Covered.UNKNOWN: 1, Covered.NO: 2}
    kept: dict[tuple[str, str, str], Answer] = {}
    for answer in found:
        key = (answer.about, answer.attribute, answer.territory)
        if key not in kept or order[answer.covered] > order[kept[key].covered]:
            kept[key] = answer
    return [kept[key] for key in sorted(kept)]
