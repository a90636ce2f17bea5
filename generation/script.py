"""What is to be filmed: a script as scenes of beats, read from Fountain or JSON.

Fountain notes carry what the format has no words for (docs/generation.md lists them):

    [[en: You came.]]                         the second subtitle line of the dialogue it stands in
    [[cast 林晓: woman, long hair, red coat]]  how a character looks
    [[insert video: a.mp4 from 2s to 7s]]     a stretch of another film, full frame
    [[insert picture: a.png on wall for 3s]]  a picture on a phone, a wall, a news screen, or full
    [[screen text: one | two]]                messages on a telephone
    [[calibration card]]                      the gate's test picture, for two seconds
    [[no label]]                              leave out the visible AI label
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from generation import fountain
from generation.fountain import Kind, ScriptError

__all__ = [
    "Action",
    "Beat",
    "Caption",
    "Card",
    "Clip",
    "Line",
    "Messages",
    "Picture",
    "Scene",
    "Script",
    "ScriptError",
    "Transition",
    "read",
]

SIZE_LIMIT = 2_000_000
"""Bytes of a script; a feature film's is under 300 kB."""
SCENE_LIMIT = 60
BEAT_LIMIT = 400
"""An episode of a short drama has one to five scenes; these stop a script that would film for hours."""
INSERT_LIMIT_US = 60_000_000
PICTURE_US = 3_000_000
SURFACES = ("phone", "wall", "news", "full")
SOURCE_TYPES = ("digitalCreation", "trainedAlgorithmicMedia", "algorithmicMedia", "humanEdits")
"""IPTC digital source types a script's title page may give as `Script source`."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something said."""

    who: str
    text: str
    translation: str = ""
    manner: str = ""
    """The parenthetical: "angry", "笑"."""
    off_screen: bool = False
    together: bool = False
    """Spoken at the same time as the line before (dual dialogue)."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that happens, seen in a wide shot."""

    text: str


@dataclass(frozen=True, slots=True)
class Caption:
    """Words laid over the picture."""

    text: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of another film, shown and heard full frame."""

    path: Path
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture held into the camera's view."""

    path: Path
    on: str = "phone"
    length_us: int = PICTURE_US


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages read on a telephone."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """The calibration card, full frame."""


@dataclass(frozen=True, slots=True)
class Transition:
    """How one scene gives way to the next: FADE IN, FADE OUT, CUT TO."""

    text: str


Beat = Line | Action | Caption | Clip | Picture | Messages | Card | Transition


@dataclass(frozen=True, slots=True)
class Scene:
    """One place at one time, and what happens there."""

    inside: bool
    place: str
    time: str
    heading: str
    beats: tuple[Beat, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """One episode as its author wrote it."""

    title: str
    series: str
    episode: int
    mood: str
    label: bool
    """Whether the finished episode shows the visible AI label."""
    written_by: str
    """IPTC digital source type of the text itself."""
    cast: tuple[tuple[str, str], ...]
    """Characters in order of appearance, each with how it looks ("" where the script does not say)."""
    scenes: tuple[Scene, ...]
    digest: str
    """SHA-256 of the script file: everything drawn and heard is seeded by it."""
    path: Path

    @property
    def inserts(self) -> tuple[Path, ...]:
        """Other people's files this script shows, in order, each once."""
        shown = (b.path for s in self.scenes for b in s.beats if isinstance(b, Clip | Picture))
        return tuple(dict.fromkeys(shown))


def read(path: Path) -> Script:
    """The script at `path`: JSON where the name ends in .json, Fountain otherwise.

    Raises ScriptError where it cannot be read, is not what it claims to be, names a file that is not
    there, or holds nothing to film.
    """
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= SIZE_LIMIT else b""
    except OSError as error:
        raise ScriptError(f"{path}: cannot be read ({error.strerror}); name a Fountain or JSON script") from error
    if size > SIZE_LIMIT:
        raise ScriptError(f"{path}: {size} bytes is more than a script has; the limit is {SIZE_LIMIT}")
    if not raw.strip():
        raise ScriptError(f"{path}: is empty; write at least one scene")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ScriptError(f"{path}, line {line}: is not UTF-8 text; save the script as UTF-8") from error
    script = _from_json(text, path) if path.suffix.lower() == ".json" else _from_fountain(text, path)
    beats = sum(len(s.beats) for s in script.scenes)
    if not any(isinstance(b, Line | Action | Clip | Picture | Messages | Card) for s in script.scenes for b in s.beats):
        raise ScriptError(f"{path}: holds nothing to film; write a scene heading and what happens or is said there")
    if len(script.scenes) > SCENE_LIMIT or beats > BEAT_LIMIT:
        raise ScriptError(
            f"{path}: {len(script.scenes)} scenes and {beats} beats are more than one episode holds"
            f" ({SCENE_LIMIT} and {BEAT_LIMIT}); split it"
        )
    return replace(script, digest=hashlib.sha256(raw).hexdigest())


def _from_fountain(text: str, path: Path) -> Script:
    play = fountain.parse(text, path.name)
    return _Reading(path, play).script()


class _Reading:
    """One pass over a screenplay's elements."""

    def __init__(self, path: Path, play: fountain.Screenplay) -> None:
        self.path = path
        self.play = play
        self.cast: dict[str, str] = {}
        self.looks: dict[str, str] = {}
        self.label = True
        self.scenes: list[Scene] = []
        self.beats: list[Beat] = []
        self.scene: Scene | None = None

    def script(self) -> Script:
        who, manner, off, together = "", "", False, False
        for e in self.play.elements:
            match e.kind:
                case Kind.HEADING:
                    self._close()
                    self.scene = _scene(e.text)
                case Kind.CHARACTER:
                    together = e.dual and who != "" and bool(self.beats) and isinstance(self.beats[-1], Line)
                    who, off = _speaker(e.text)
                    manner = ""
                    if not who:
                        raise self._error(e.line, "a character without a name; write one before the brackets")
                    self.cast.setdefault(who, "")
                case Kind.PARENTHETICAL:
                    manner = _plain(e.text)
                case Kind.DIALOGUE | Kind.LYRICS:
                    translation = [n.text[3:].strip() for n in e.notes if n.text.lower().startswith("en:")]
                    said = " ".join(_plain(e.text).split())
                    if said and who:
                        self._add(e.line, Line(who, said, " ".join(translation), manner, off, together))
                    together = False
                case Kind.ACTION:
                    if said := " ".join(_plain(e.text).split()):
                        self._add(e.line, Action(said))
                case Kind.CENTERED:
                    self._add(e.line, Caption(_plain(e.text)))
                case Kind.TRANSITION:
                    self.beats.append(Transition(_plain(e.text).upper()))
                case Kind.NOTE:
                    self._note(e.text, e.line)
                case Kind.SECTION | Kind.SYNOPSIS | Kind.BONEYARD | Kind.PAGE_BREAK:
                    pass
            for note in e.notes:
                self._note(note.text, note.line)
        self._close()
        page = self.play.title_page
        title = _plain(page.get("title", "")).replace("\n", " ") or self.path.stem
        unknown = [name for name in self.looks if name not in self.cast]
        if unknown:
            raise ScriptError(
                f"{self.path.name}: [[cast {unknown[0]}: ...]] names nobody who speaks; check the spelling"
            )
        return Script(
            title=title,
            series=page.get("series", title),
            episode=_episode(page.get("episode", "1"), self.path.name),
            mood=page.get("mood", ""),
            label=self.label,
            written_by=_source_type(page.get("script source", SOURCE_TYPES[0]), self.path.name),
            cast=tuple((name, self.looks.get(name, "")) for name in self.cast),
            scenes=tuple(self.scenes),
            digest="",
            path=self.path,
        )

    def _add(self, line: int, beat: Beat) -> None:
        if self.scene is None:
            raise self._error(
                line, "something happens before the first scene heading; begin with e.g. INT. HOUSE - DAY"
            )
        self.beats.append(beat)

    def _close(self) -> None:
        if self.scene is not None:
            self.scenes.append(replace(self.scene, beats=tuple(self.beats)))
            self.beats = []

    def _note(self, text: str, line: int) -> None:
        """What a note asks for; a note that is none of ours is a note."""
        key, _, value = (part.strip() for part in text.partition(":"))
        word = " ".join(key.lower().split())
        if word == "no label":
            self.label = False
        elif word == "calibration card":
            self._add(line, Card())
        elif word.startswith("cast "):
            self.looks[key[5:].strip()] = value
        elif word == "insert video":
            self._add(line, self._clip(value, line))
        elif word == "insert picture":
            self._add(line, self._picture(value, line))
        elif word == "screen text":
            texts = tuple(t.strip() for t in value.split("|") if t.strip())
            if not texts:
                raise self._error(line, "[[screen text: ...]] without a text")
            self._add(line, Messages(texts))
        elif word.startswith("insert "):
            raise self._error(line, f"[[{key}: ...]] is not known; it is insert video or insert picture")

    def _clip(self, value: str, line: int) -> Clip:
        asked = re.fullmatch(r"(.+?)\s+from\s+([\d.]+)\s*s?\s+to\s+([\d.]+)\s*s?", value)
        if asked is None:
            raise self._error(line, "[[insert video: FILE from 2.0s to 7.0s]] is the form")
        return _clip(
            asked[1], _us(asked[2], self._where(line)), _us(asked[3], self._where(line)), self.path, self._where(line)
        )

    def _picture(self, value: str, line: int) -> Picture:
        asked = re.fullmatch(r"(.+?)(?:\s+on\s+(\w+))?(?:\s+for\s+([\d.]+)\s*s?)?", value)
        if asked is None or not value:
            raise self._error(line, "[[insert picture: FILE on phone for 3.0s]] is the form")
        length = _us(asked[3], self._where(line)) if asked[3] else PICTURE_US
        return _picture(asked[1], asked[2] or "phone", length, self.path, self._where(line))

    def _where(self, line: int) -> str:
        return f"{self.path.name}, line {line}"

    def _error(self, line: int, what: str) -> ScriptError:
        return ScriptError(f"{self._where(line)}: {what}")


def _scene(heading: str) -> Scene:
    """Inside or outside, where and when, as the heading says."""
    prefix = fountain.HEADING.match(heading)
    inside = not (prefix and prefix[0].upper().startswith(("EXT", "EST")))
    rest = heading[prefix.end() :].lstrip(" .-") if prefix else heading
    place, _, time = rest.rpartition(" - ")
    return Scene(inside, place.strip() or time.strip(), time.strip() if place else "", heading, ())


def _speaker(cue: str) -> tuple[str, bool]:
    """The name in a cue, and whether it is heard without being seen (O.S., V.O., 画外音)."""
    name = re.sub(r"[(（][^)）]*[)）]", "", cue).strip()
    extension = cue[len(name) :].upper().replace(".", "").replace(" ", "")
    return name, any(mark in extension for mark in ("(OS)", "(VO)", "画外", "旁白"))


def _plain(text: str) -> str:
    """Text without Fountain's emphasis marks."""
    text = re.sub(r"(?<!\\)(\*{1,3}|_)(?=\S)(.+?)(?<=\S)(?<!\\)\1", r"\2", text)
    return re.sub(r"\\([*_])", r"\1", text)


def _us(seconds: str, where: str) -> int:
    try:
        return round(float(seconds) * 1_000_000)
    except ValueError as error:
        raise ScriptError(f"{where}: {seconds!r} is not a time in seconds") from error


def _beside(name: str, script: Path, where: str) -> Path:
    """The file an insert names: absolute, or relative to the script's folder."""
    path = script.parent / name.strip()
    if not path.is_file():
        raise ScriptError(f"{where}: {name.strip()} is not a file; name one relative to the script's folder")
    return path


def _clip(name: str, start_us: int, end_us: int, script: Path, where: str) -> Clip:
    if not 0 <= start_us < end_us or end_us - start_us > INSERT_LIMIT_US:
        raise ScriptError(
            f"{where}: an insert begins before it ends and lasts at most {INSERT_LIMIT_US // 1_000_000} s"
        )
    return Clip(_beside(name, script, where), start_us, end_us)


def _picture(name: str, surface: str, length_us: int, script: Path, where: str) -> Picture:
    if surface not in SURFACES:
        raise ScriptError(f"{where}: a picture is shown on {', '.join(SURFACES)}, not on {surface!r}")
    if not 500_000 <= length_us <= INSERT_LIMIT_US:
        raise ScriptError(f"{where}: a picture is shown for 0.5 to {INSERT_LIMIT_US // 1_000_000} s")
    return Picture(_beside(name, script, where), surface, length_us)


def _episode(value: str, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", value.strip()):
        raise ScriptError(f"{where}: Episode: {value!r} is not a number")
    return int(value)


def _source_type(value: str, where: str) -> str:
    if value not in SOURCE_TYPES:
        raise ScriptError(f"{where}: Script source: {value!r} is not one of {', '.join(SOURCE_TYPES)}")
    return value


T = TypeVar("T")


class _Fields:
    """One JSON object, read field by field; what is left over at the end is a mistake."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise ScriptError(f"{where}: an object is expected here, not {type(value).__name__}")
        self.left = dict(value)
        self.where = where

    def take(self, name: str, kind: type[T], default: T | None = None) -> T:
        value = self.left.pop(name, default)
        if value is None:
            raise ScriptError(f"{self.where}: {name!r} is missing")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ScriptError(f"{self.where}.{name}: {kind.__name__} is expected, not {type(value).__name__}")
        return value

    def seconds(self, name: str, default: float | None = None) -> int:
        value = self.left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise ScriptError(f"{self.where}.{name}: a time in seconds is expected, not {value!r}")
        return round(value * 1_000_000)

    def done(self) -> None:
        if self.left:
            raise ScriptError(f"{self.where}: {sorted(self.left)[0]!r} is not a field of a script")


def _from_json(text: str, path: Path) -> Script:
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ScriptError(f"{path.name}{line}: is not JSON ({error})") from error
    top = _Fields(document, path.name)
    if (schema := top.take("schema", str)) != "dramagate/script@1":
        raise ScriptError(f"{path.name}.schema: {schema!r} is not known; dramagate/script@1 is")
    looks = _Fields(top.take("cast", dict, {}), f"{path.name}.cast").left
    scenes = tuple(_json_scene(s, f"{path.name}.scenes[{i}]", path) for i, s in enumerate(top.take("scenes", list)))
    speaking = dict.fromkeys(b.who for s in scenes for b in s.beats if isinstance(b, Line))
    for name, look in looks.items():
        if name not in speaking or not isinstance(look, str):
            raise ScriptError(
                f"{path.name}.cast: {name!r} must be somebody who speaks, with a text saying how they look"
            )
    title = top.take("title", str)
    script = Script(
        title=title,
        series=top.take("series", str, title),
        episode=top.take("episode", int, 1),
        mood=top.take("mood", str, ""),
        label=top.take("label", bool, True),
        written_by=_source_type(top.take("script_source", str, SOURCE_TYPES[0]), path.name),
        cast=tuple((name, looks.get(name, "")) for name in speaking),
        scenes=scenes,
        digest="",
        path=path,
    )
    top.done()
    return script


def _json_scene(value: Any, where: str, path: Path) -> Scene:
    fields = _Fields(value, where)
    scene = _scene(fields.take("heading", str))
    beats = [_json_beat(b, f"{where}.beats[{i}]", path) for i, b in enumerate(fields.take("beats", list))]
    fields.done()
    return replace(scene, beats=tuple(beats))


def _json_beat(value: Any, where: str, path: Path) -> Beat:
    """One beat; its kind is told by the field it has."""
    f = _Fields(value, where)
    beat: Beat
    if "line" in f.left:
        beat = Line(
            f.take("who", str),
            f.take("line", str),
            f.take("en", str, ""),
            f.take("manner", str, ""),
            f.take("off_screen", bool, False),
            f.take("together", bool, False),
        )
    elif "action" in f.left:
        beat = Action(f.take("action", str))
    elif "caption" in f.left:
        beat = Caption(f.take("caption", str))
    elif "transition" in f.left:
        beat = Transition(f.take("transition", str).upper())
    elif "video" in f.left:
        beat = _clip(f.take("video", str), f.seconds("from"), f.seconds("to"), path, where)
    elif "picture" in f.left:
        beat = _picture(f.take("picture", str), f.take("on", str, "phone"), f.seconds("for", 3.0), path, where)
    elif "messages" in f.left:
        beat = Messages(_texts(f.take("messages", list), where))
    elif "calibration_card" in f.left:
        f.take("calibration_card", bool)
        beat = Card()
    else:
        raise ScriptError(
            f"{where}: one of line, action, caption, transition, video, picture, messages, calibration_card is needed"
        )
    f.done()
    return beat


def _texts(values: Iterable[Any], where: str) -> tuple[str, ...]:
    texts = tuple(v for v in values if isinstance(v, str) and v.strip())
    if not texts:
        raise ScriptError(f"{where}.messages: at least one text is expected")
    return texts
