"""How one episode is made: read this file first.

    script -> storyboard -> character sheets -> shots -> voice and music -> episode

Every file is drafted, labelled and sealed with what it was made from before the next begins, so that
whoever holds the episode can walk back to the script. `episode.json` lists what is finished; `--resume`
goes on after the last of it. Order within a file: edits, visible label, AIGC metadata, seal last.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from generation import film, sound
from generation.backend import Backend, Production
from generation.script import Clip, Picture, Script, ScriptError, read
from generation.storyboard import FPS, LENGTH_LIMIT_S, Shot
from provenance import aigc, media
from provenance.asset import Asset, AssetKind, digest
from provenance.files import replacing
from provenance.keys import Identity, Trust
from provenance.label import TEXT as LABEL_TEXT
from provenance.label import Overlay, find_font
from provenance.sign import Action, Ingredient, sign

LIST = "episode.json"
VERSION = "1"
"""Changes whenever the pipeline's own files would come out differently; part of every step's key."""
PRODUCER = "DRAMAGATE-DEVELOPMENT"
"""ContentProducer of the AIGC label until an operator gives the code it is registered under."""

Tell = Callable[[str, int, int], None]
"""Called with the file about to be made, how many are finished, and how many there are."""


@dataclass(frozen=True, slots=True)
class Made:
    """One finished file."""

    asset: Asset
    sidecar: Path | None
    step: str
    reused: bool
    """Whether an earlier run made it."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A finished episode with everything it was made from, the episode itself last."""

    script: Script
    folder: Path
    length_us: int
    files: tuple[Made, ...]

    @property
    def path(self) -> Path:
        """Where the episode lies."""
        return self.files[-1].asset.path

    def to_json(self) -> dict[str, Any]:
        """What `episode.json` holds once everything is made."""
        list_: dict[str, Any] = json.loads((self.folder / LIST).read_text("utf-8"))
        return list_


def make_episode(
    script_path: Path,
    out: Path,
    *,
    backend: Backend,
    identity: Identity,
    trust: Trust,
    resume: bool = False,
    font: Path | None = None,
    producer: str = PRODUCER,
    tell: Tell = lambda _file, _done, _all: None,
) -> Episode:
    """The episode that `script_path` describes, made in the folder `out` with every intermediate.

    With `resume`, files that an earlier run finished from the same script, the same backend and the same
    inserts are kept. Raises ScriptError for a script that cannot be filmed, provenance.label.FontMissing,
    provenance.media.Unusable and provenance.sign.SignError for a file it inserts, and OSError where `out`
    cannot be written.
    """
    script = read(script_path)
    font = find_font(font)
    production = Production(script, backend.plan(script), font)
    _must_be_possible(production)
    out.mkdir(parents=True, exist_ok=True)
    with _workshop(out) as drafts:
        bench = _Bench(out, drafts, production, backend, identity, trust, producer, resume)
        steps = list(_steps(production, backend, bench))
        for n, step in enumerate(steps):
            tell(step.path, n, len(steps))
            bench.finish(step)
        tell("", len(steps), len(steps))
        bench.complete(steps)
    return Episode(script, out, production.board.length_us, tuple(bench.made[s.name] for s in steps))


@dataclass(frozen=True)
class _Step:
    """One file: what it is, how it is drafted, and what it is made from."""

    name: str
    path: str
    kind: AssetKind
    draft: Callable[[Path], None]
    story: tuple[Action, ...]
    inputs: tuple[str, ...] = ()
    """Steps that steered it."""
    parts: tuple[str, ...] = ()
    """Steps whose files are in it."""
    inserts: tuple[Path, ...] = ()
    """Other people's files that are in it."""
    labelled: bool = True
    """Whether it carries the AIGC metadata: everything a generator made does."""


def _steps(production: Production, backend: Backend, bench: _Bench) -> Iterator[_Step]:
    """Everything there is to make, in order."""
    script, board = production.script, production.board
    made = (_act("created", backend, backend.source_type),)
    written = (Action("created", source_type=script.written_by),)
    name = "script.json" if script.path.suffix.lower() == ".json" else "script.fountain"
    copy = lambda into: shutil.copyfile(script.path, into)  # noqa: E731
    yield _Step("script", name, AssetKind.SCRIPT, copy, written, labelled=False)
    draw = lambda into: _write_json(into, board.to_json())  # noqa: E731
    yield _Step("storyboard", "storyboard.json", AssetKind.STORYBOARD, draw, made, ("script",))
    panels = lambda into: backend.sketch(production, into)  # noqa: E731
    pictures = tuple(dict.fromkeys(Path(s.file) for s in board.shots if s.framing in ("clip", "picture")))
    yield _Step("panels", "storyboard.png", AssetKind.STORYBOARD, panels, made, ("script", "storyboard"), (), pictures)
    for n, (who, _) in enumerate(script.cast, 1):
        portray = lambda into, who=who: backend.portray(production, who, into)  # noqa: E731
        path = f"characters/{n:02d}-{_file_name(who)}.png"
        yield _Step(f"character/{who}", path, AssetKind.CHARACTER_SHEET, portray, made, ("script",))
    for shot in board.shots:
        yield _shot_step(shot, production, backend, made)
    speak, score = (lambda into, do=do: do(production, into) for do in (backend.speak, backend.score))
    yield _Step("voice", "audio/voice.wav", AssetKind.AUDIO, speak, made, ("script", "storyboard"))
    yield _Step("music", "audio/music.wav", AssetKind.AUDIO, score, made, ("script", "storyboard"))
    shots = tuple(f"shot/{s.number}" for s in board.shots)
    words = ["subtitles", *([LABEL_TEXT["zh"]] if script.label else [])]
    story = (*made, *(replace(_act("addedText", backend, backend.source_type), description=said) for said in words))
    join = lambda into: _assemble(production, bench, shots, into)  # noqa: E731
    yield _Step(
        "episode", "episode.mp4", AssetKind.EPISODE, join, story, ("script", "storyboard"), (*shots, "voice", "music")
    )


def _shot_step(shot: Shot, production: Production, backend: Backend, made: tuple[Action, ...]) -> _Step:
    shoot = lambda into: backend.shoot(production, shot, into)  # noqa: E731
    sheets = tuple(f"character/{p.who}" for p in shot.cast)
    inserts = (Path(shot.file),) if shot.file else ()
    if shot.framing == "clip":  # nothing in it is ours, so nothing in it is labelled as made by us
        made = (Action("created", source_type="composite", tool=made[0].tool, tool_version=made[0].tool_version),)
    elif inserts:
        made = (
            Action("created", source_type="compositeSynthetic", tool=made[0].tool, tool_version=made[0].tool_version),
        )
    return _Step(
        f"shot/{shot.number}", f"shots/{shot.number:03d}.mp4", AssetKind.SHOT, shoot, made,
        ("storyboard", *sheets), (), inserts, labelled=shot.framing != "clip",
    )  # fmt: skip


def _act(name: str, backend: Backend, source_type: str) -> Action:
    return Action(name, source_type=source_type, tool=f"dramagate-{backend.name}", tool_version=backend.version)


@dataclass
class _Bench:
    """Where files are drafted, sealed, entered in the list and taken up again."""

    out: Path
    drafts: Path
    production: Production
    backend: Backend
    identity: Identity
    trust: Trust
    producer: str
    resume: bool
    made: dict[str, Made] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    earlier: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.resume:
            self.earlier = _read_list(self.out / LIST)

    def finish(self, step: _Step) -> None:
        """Take up what an earlier run made, or draft, label and seal it; then enter it in the list."""
        key = self._key(step)
        done = self._found(step, key) or self._seal(step)
        self.made[step.name] = done
        beside = done.sidecar.relative_to(self.out).as_posix() if done.sidecar else None
        entry = {"step": step.name, "path": step.path, "kind": step.kind.value, "sha256": done.asset.sha256}
        self.entries.append({**entry, "sidecar": beside, "key": key})
        self._write_list(complete=False)

    def complete(self, steps: Sequence[_Step]) -> None:
        """Say in the list that everything is made."""
        if len(self.entries) == len(steps):
            self._write_list(complete=True)

    def _key(self, step: _Step) -> str:
        """What the file depends on: where any of it changes, the file is made anew."""
        sealed = [self.made[name].asset.sha256 for name in (*step.inputs, *step.parts)]
        inserted = [digest(path) for path in step.inserts]
        how = [VERSION, self.backend.name, self.backend.version, self.producer, self.production.script.digest]
        return hashlib.sha256(json.dumps([how, step.name, sealed, inserted]).encode()).hexdigest()

    def _found(self, step: _Step, key: str) -> Made | None:
        entry, path = self.earlier.get(step.name), self.out / step.path
        if entry is None or entry.get("key") != key or not path.is_file() or digest(path) != entry.get("sha256"):
            return None
        beside = entry.get("sidecar")
        sidecar = self.out / beside if isinstance(beside, str) else None
        if sidecar is not None and not sidecar.is_file():
            return None
        return Made(Asset(digest(path), step.kind, path), sidecar, step.name, reused=True)

    def _seal(self, step: _Step) -> Made:
        target = self.out / step.path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = self.drafts / f"draft{target.suffix}"
        step.draft(draft)
        label = self._label(step) if step.labelled else None
        if label is not None:
            labelled = self.drafts / f"labelled{target.suffix}"
            aigc.write(draft, labelled, label)
            draft = labelled
        signed = sign(
            draft, target, kind=step.kind, identity=self.identity, trust=self.trust,
            title=self._title(step), actions=step.story, ingredients=self._ingredients(step),
            assertions={"cn.dramagate.script": {"sha256": self.production.script.digest}},
            aigc=None if label is None else label.fields(),
        )  # fmt: skip
        for leftover in self.drafts.iterdir():
            leftover.unlink()
        return Made(signed.asset, signed.sidecar, step.name, reused=False)

    def _ingredients(self, step: _Step) -> list[Ingredient]:
        found = []
        for names, relationship in ((step.inputs, "inputTo"), (step.parts, "componentOf")):
            for name in names:
                one = self.made[name]
                found.append(Ingredient(one.asset.path, relationship, _label_name(name), one.sidecar))
        return found + [Ingredient(path, "componentOf", f"insert-{n}") for n, path in enumerate(step.inserts)]

    def _title(self, step: _Step) -> str:
        script = self.production.script
        return f"{script.series} {script.episode}: {step.path}"[:200]

    def _label(self, step: _Step) -> aigc.Label:
        """The AIGC metadata of a file; the same script and the same file always have the same number."""
        number = hashlib.sha256(f"{self.production.script.digest}/{step.path}".encode()).hexdigest()[:32]
        return aigc.Label.first(self.producer, number)

    def _write_list(self, *, complete: bool) -> None:
        script, board = self.production.script, self.production.board
        document = {
            "schema": "dramagate/episode@1",
            "title": script.title,
            "series": script.series,
            "episode": script.episode,
            "script_sha256": script.digest,
            "backend": {"name": self.backend.name, "version": self.backend.version},
            "length_us": board.length_us,
            "visible_label": script.label,
            "complete": complete,
            "files": self.entries,
        }
        with replacing(self.out / LIST) as fresh:
            _write_json(fresh, document)


def _assemble(production: Production, bench: _Bench, names: Sequence[str], into: Path) -> None:
    shots = [bench.made[name].asset.path for name in names]
    voice, score = (sound.read_wav(bench.made[name].asset.path) for name in ("voice", "music"))
    mixed = sound.mix(voice, score, film.sounds_of(shots, production.board))
    label = Overlay(LABEL_TEXT["zh"], production.font) if production.script.label else None
    film.assemble(into, production.board, shots, mixed, font=production.font, label=label)


def _must_be_possible(production: Production) -> None:
    """What is inserted must be there and long enough, before anything is drawn."""
    script, board = production.script, production.board
    if board.frames > LENGTH_LIMIT_S * FPS:
        raise ScriptError(
            f"{script.path.name}: would last {board.length_us / 1e6:.0f} s,"
            f" and {LENGTH_LIMIT_S} s is the limit; split it"
        )
    for beat in (b for s in script.scenes for b in s.beats):
        if isinstance(beat, Clip):
            info = media.probe(beat.path)
            if info.still or not info.video_codec:
                raise ScriptError(
                    f"{beat.path.name}: is no film; insert video needs one, for a picture use insert picture"
                )
            if info.duration_us < beat.end_us:
                raise ScriptError(
                    f"{beat.path.name}: lasts {info.duration_us / 1e6:.2f} s, but the script inserts it"
                    f" up to {beat.end_us / 1e6:.2f} s; end the insert earlier"
                )
        elif isinstance(beat, Picture) and not media.probe(beat.path).still:
            raise ScriptError(f"{beat.path.name}: is no picture; for a film use insert video")


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    """A folder for drafts inside `out`, for one run at a time; what a killed run left there is swept away."""
    lock = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ScriptError(
                f"{out}: another run is making an episode here; wait for it, or choose another folder"
            ) from error
        for left in out.glob(".drafts-*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".drafts-", dir=out) as drafts:
            yield Path(drafts)
    finally:
        os.close(lock)


def _read_list(path: Path) -> dict[str, dict[str, Any]]:
    """The files an earlier run finished, by step; none where there is no list or it cannot be read."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return {entry["step"]: entry for entry in document["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _file_name(name: str) -> str:
    """A character's name as part of a file name: letters and digits of any script."""
    return re.sub(r"[^\w-]+", "_", name).strip("_")[:40] or "unnamed"


def _label_name(step: str) -> str:
    """A step's name as an ingredient's label, which must be ASCII."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", step)
    return (
        plain
        if plain == step.replace("/", "-")
        else f"{plain.strip('-')}-{hashlib.sha256(step.encode()).hexdigest()[:8]}"
    )
