"""What is done with hostile bytes. Every function here runs in a sandbox child (sandbox.py).

Arguments and answers are plain JSON values, because they cross a process boundary.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenance.asset import AssetKind, digest
from review.submission import TEXT_SUFFIXES

if TYPE_CHECKING:
    from provenance.keys import Trust
    from provenance.media import MediaInfo


FILM_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".flv", ".ts")
"""Names under which people expect a film. Sound alone under one is a broken export, unless the papers say so."""
FILMS = {AssetKind.EPISODE, AssetKind.TRAILER, AssetKind.SHOT}
STILLS = {AssetKind.IMAGE, AssetKind.COVER, AssetKind.CHARACTER_SHEET}
TEXTS = {AssetKind.SCRIPT, AssetKind.STORYBOARD, AssetKind.BRANCH_MAP}


def take_in(path: str, file_name: str, kind: str, normalised_to: str) -> dict[str, Any]:
    """Open the submitted file and lay it out anew: kind, media, essence, and the normalised copy.

    The normalised file is what is screened, shown and released: same coded samples, our container.
    Text is copied as it is. Raises provenance.media.Unusable where the file is not what it claims to be.
    """
    from provenance import carriers, media

    target = Path(normalised_to)
    source = _named(Path(path), file_name, target.parent)
    if source.suffix.lower() in TEXT_SUFFIXES:
        _check_text(source, file_name, kind)
        target.write_bytes(source.read_bytes())
        return {"kind": kind, "media": None, "essence_sha256": digest(source), "suffix": source.suffix.lower()}
    info = media.probe(source)
    found = _kind(AssetKind(kind), info, source)
    essence = media.normalise(source, target)
    return {
        "kind": found.value,
        "media": asdict(info),
        "essence_sha256": essence,
        "suffix": f".{carriers.container(target)}",
    }


def _named(path: Path, file_name: str, folder: Path) -> Path:
    """`path` under the submitter's name, so that messages say it; never outside `folder`."""
    given = folder / "submitted" / (Path(file_name).name or "file")
    given.parent.mkdir()
    given.symlink_to(path.absolute())
    return given


def _kind(declared: AssetKind, info: MediaInfo, source: Path) -> AssetKind:
    """The kind by what was found inside; papers may say more of it, but never something else.

    Which classifiers look depends on the kind, so a film that its papers call a sound would pass unseen.
    Raises Unusable where the papers and the file disagree.
    """
    from provenance.media import Unusable

    if info.width == 0:
        may_be, otherwise, what = {AssetKind.AUDIO}, AssetKind.AUDIO, "sound and no picture"
        if declared is AssetKind.EPISODE and source.suffix.lower() in FILM_SUFFIXES:
            raise Unusable(
                f"{source.name} holds sound and no picture: submit the film with its pictures,"
                ' or say asset.kind "audio" in its papers'
            )
    elif info.still:
        may_be, otherwise, what = STILLS, AssetKind.IMAGE, "one picture"
    else:
        may_be, otherwise, what = FILMS, AssetKind.EPISODE, "moving pictures"
    if declared in may_be:
        return declared
    if declared is AssetKind.EPISODE or (declared is AssetKind.STORYBOARD and info.still):
        return otherwise
    names = ", ".join(sorted(may_be))
    raise Unusable(
        f"{source.name} holds {what}, and its papers call it {declared}:"
        f" say asset.kind {names} or submit the right file"
    )


def _check_text(source: Path, file_name: str, kind: str) -> None:
    from provenance.media import Unusable

    if AssetKind(kind) not in TEXTS:
        raise Unusable(
            f"{file_name} is a file of words, and its papers call it {kind}: say asset.kind {', '.join(sorted(TEXTS))}"
        )
    with source.open("rb") as file:
        head = file.read(1 << 16)
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unusable(
            f"{file_name} is not text, whatever its name says: submit the film itself, or export the text again"
        )
    limit = 64 << 20
    size = source.stat().st_size
    if size == 0:
        raise Unusable(f"{file_name} is empty: submit the file again")
    if size > limit:
        raise Unusable(f"{file_name} has {size} bytes, more than the {limit} a text may have: split it")


def isolation() -> dict[str, Any]:
    """What keeps the network from a child: "namespace" where it sees no interface but loopback, else "hook"."""
    others = [name for _, name in socket.if_nameindex() if name != "lo"]
    return {"network": "hook" if others else "namespace"}


def verify(path: str, trust: Mapping[str, Any], sidecar: str | None) -> dict[str, Any]:
    """The provenance report of the file as submitted. `trust` is what `trust_json` made."""
    from provenance.check import check
    from provenance.keys import Purpose, Trust, TrustList

    lists = tuple(TrustList(uri, pem, Purpose(purpose)) for uri, pem, purpose in trust["lists"])
    believed = Trust(lists, tuple(trust["ekus"]))
    return check(Path(path), believed, sidecar=None if sidecar is None else Path(sidecar)).to_json()


def trust_json(trust: Trust) -> dict[str, Any]:
    """`trust` as it crosses into the child."""
    lists = [[entry.uri, entry.pem, entry.purpose.value] for entry in trust.lists]
    return {"lists": lists, "ekus": list(trust.ekus)}


def screen_file(
    path: str,
    kind: str,
    papers: Mapping[str, Any] | None,
    registry: str | None,
    weights: str,
    device: str,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything the classifiers say of the normalised file, and everything they could not look at."""
    from classifiers.classifier import Context, installed
    from classifiers.lines import read_lines
    from classifiers.screen import screen
    from classifiers.weights import WeightStore
    from provenance.registry import Registry, load

    file, asset_kind = Path(path), AssetKind(kind)
    context = Context(
        registry=Registry() if registry is None else load(Path(registry)),
        weights=WeightStore(Path(weights)),
        device=device,
        options=dict(options),
    )
    return screen(
        file,
        asset_kind,
        classifiers=installed(),
        context=context,
        lines=read_lines(file, asset_kind, papers),
        progress=_progress,
    ).to_json()


def render_file(path: str, made: str, edits: list[dict[str, Any]], font: str | None) -> dict[str, Any]:
    """Write the file at `path` with `edits` applied; where it lies: `made`, with the suffix that its content takes."""
    from policies.verdict import Edit
    from review.render import render, suffix_for

    source = Path(path)
    target = Path(made).with_suffix(suffix_for(source))
    done = render(source, target, [Edit.from_json(e) for e in edits], font=None if font is None else Path(font))
    return {
        "made": str(target),
        "duration_us": done.duration_us,
        "frames_copied": done.frames_copied,
        "frames_encoded": done.frames_encoded,
    }


def seal_file(
    path: str,
    out: str,
    parent: str,
    parent_sidecar: str | None,
    home: str,
    title: str,
    kind: str,
    edits: list[dict[str, Any]],
    label: Mapping[str, str] | None,
    statement: Mapping[str, Any],
) -> dict[str, Any]:
    """Label the file at `path` and seal it as `out`, with the submitted file as its C2PA parent.

    `label` holds the service's own code under "service" and an id for this release under "id"; a label the file
    carries is passed on under them, and where the edits ask for one it is written. `statement` becomes the
    assertion cn.dramagate.review.
    """
    from policies.verdict import Do, Edit
    from provenance import aigc
    from provenance.keys import development
    from provenance.sign import Action, Ingredient, sign

    source, wanted = Path(path), [Edit.from_json(e) for e in edits]
    found = aigc.read(source)
    must_have = any(e.do is Do.REWRITE_METADATA for e in wanted)
    if label is not None and (must_have or (len(found) == 1 and found[0].conforming)):
        new = (
            aigc.Label.of(found[0].fields).propagated(label["service"], label["id"])
            if len(found) == 1 and found[0].conforming
            else aigc.Label.first(label["service"], label["id"])
        )
        labelled = source.with_name("labelled" + source.suffix)
        aigc.write(source, labelled, new)
        source = labelled
    actions = [Action("opened", ingredients=("submitted",)), *_told(wanted)]
    if not any(a.name == "c2pa.published" for a in actions):
        actions.append(Action("published"))
    keys = development(Path(home))
    ingredient = Ingredient(
        Path(parent), "parentOf", "submitted", None if parent_sidecar is None else Path(parent_sidecar), title
    )
    signed = sign(
        source,
        Path(out),
        kind=AssetKind(kind),
        identity=keys.identity("gateway"),
        trust=keys.trust(),
        title=title,
        actions=actions,
        ingredients=[ingredient],
        assertions={"cn.dramagate.review": dict(statement)},
    )
    return {"sidecar": None if signed.sidecar is None else str(signed.sidecar)}


def _told(edits: list[Any]) -> list[Any]:
    """The edits as C2PA actions: what was done, by which program, for which rule, and when in the submitted film."""
    from policies.verdict import Do
    from provenance.sign import Action

    names = {
        Do.CUT: "trimmed",
        Do.BLUR: "filtered",
        Do.MUTE: "edited",
        Do.OVERLAY_LABEL: "addedText",
        Do.INSERT_CARD: "addedText",
        Do.REWRITE_METADATA: "edited.metadata",
    }
    told = []
    for do, name in names.items():
        of_kind = [e for e in edits if e.do is do]
        if of_kind:
            editorial = do is not Do.REWRITE_METADATA
            told.append(
                Action(
                    name,
                    source_type="humanEdits" if editorial else None,
                    tool="dramagate",
                    tool_version=version("dramagate"),
                    ranges=tuple(e.where for e in of_kind) if editorial else (),
                    parameters={"cn.dramagate.rules": sorted({e.rule for e in of_kind}), "cn.dramagate.edit": do.value},
                )
            )
    return told


def compare_files(kind: str, pairs: list[list[str]], weights: str) -> dict[str, Any]:
    """For each pair of files the contract's compare row, without the names. A side that cannot be read is unusable."""
    from classifiers import compare, faces
    from classifiers.weights import WeightStore
    from provenance.media import Unusable

    store = WeightStore(Path(weights))

    def one(a: Path, b: Path) -> Any:
        for side in (a, b):
            if not side.is_file():
                return compare.unusable(f"{side.name} is not a file that can be read")
        try:
            match kind:
                case "face":
                    return faces.compare_faces(a, b, store)
                case "picture":
                    return compare.compare_pictures(a, b)
                case "video":
                    return compare.compare_videos(a, b)
                case _:
                    return compare.compare_audio(a, b)
        except Unusable as error:
            return compare.unusable(str(error))

    return {"rows": [one(Path(a), Path(b)) for a, b in pairs]}


def _progress(done: int, total: int) -> None:
    """Tell the parent how far the child has come (sandbox.py reads these lines)."""
    sys.stderr.write(f"progress {done} {total}\n")
    sys.stderr.flush()


def enrolable(part: str, files: list[str], weights: str) -> dict[str, Any]:
    """Nothing, where each file can be matched against: one clear face in a person's photo, a hash in a work's picture.

    Raises classifiers.faces.NoFace or provenance.media.Unusable, naming the file.
    """
    from classifiers import compare, faces
    from classifiers.weights import WeightStore

    if part == "person":
        models = faces.FaceModels.load(WeightStore(Path(weights)))
        for file in files:
            faces.enrol(Path(file), models)
    else:
        for file in files:
            compare.must_be_recognisable(Path(file))
    return {}
