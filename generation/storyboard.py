"""A script as shots: what is framed, how the camera moves, who says what when. Frames are counted at 24 a second."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePath
from typing import Any

from generation import speech
from generation.script import Action, Caption, Card, Clip, Line, Picture, Scene, Script, Transition

FPS = 24
WIDTH, HEIGHT = 720, 1280
TITLE_FRAMES = 66
"""The title stands for 2.75 s over the first shot."""
LENGTH_LIMIT_S = 600
"""An episode of a short drama lasts one to three minutes; ten is more than any platform takes."""

WALKS = re.compile(r"走|跑|进来|推门|离开|walk|run|enter|come|leav|arriv", re.IGNORECASE)
WET = re.compile(r"雨|rain", re.IGNORECASE)
SNOWY = re.compile(r"雪|snow", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Placing:
    """One character in a shot."""

    who: str
    x: float
    """Where they stand, as a share of the picture's width from its middle: [-0.5, 0.5]."""
    facing: int
    """-1 looks left, 1 looks right."""
    enters: bool = False
    """Whether they walk into the picture."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One line in a shot."""

    who: str
    text: str
    translation: str
    manner: str
    start_frame: int
    """Counted from the beginning of the shot."""
    frames: int
    seen: bool
    """Whether the speaker is in the picture."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What lies between two cuts."""

    number: int
    scene: int
    framing: str
    """wide | two | close | clip | picture | messages | card."""
    start_frame: int
    frames: int
    heading: str
    place: str
    inside: bool
    time: str
    weather: str
    """"" | rain | snow."""
    move: str
    """hold | push | pull | left | right."""
    cast: tuple[Placing, ...] = ()
    focus: str = ""
    """Whom a close shot shows."""
    action: str = ""
    speeches: tuple[Speech, ...] = ()
    caption: str = ""
    title: str = ""
    fade_in: bool = False
    fade_out: bool = False
    file: str = ""
    """The file a clip or picture comes from."""
    clip_us: tuple[int, int] = (0, 0)
    surface: str = ""
    messages: tuple[str, ...] = ()

    @property
    def start_us(self) -> int:
        """When the shot begins in the episode."""
        return self.start_frame * 1_000_000 // FPS


@dataclass(frozen=True, slots=True)
class Board:
    """Every shot of one episode, in order."""

    title: str
    series: str
    episode: int
    mood: str
    seed: str
    shots: tuple[Shot, ...] = field(default=())

    @property
    def frames(self) -> int:
        """How many frames the episode has."""
        return sum(s.frames for s in self.shots)

    @property
    def length_us(self) -> int:
        """How long the episode lasts."""
        return self.frames * 1_000_000 // FPS

    def to_json(self) -> dict[str, Any]:
        """The storyboard as a JSON document (`dramagate/storyboard@1`)."""
        board = asdict(self)
        for shot in board["shots"]:
            shot["file"] = PurePath(shot["file"]).name  # where a file lies on this machine is nobody's business
        return {"schema": "dramagate/storyboard@1", "fps": FPS, "width": WIDTH, "height": HEIGHT, **board}


def plan(script: Script) -> Board:
    """The shots that film `script`: each scene opens wide, then goes to whoever speaks."""
    board = Board(script.title, script.series, script.episode, script.mood, script.digest)
    shots: list[Shot] = []
    for number, scene in enumerate(script.scenes):
        shots += _film(number, scene, script)
    start = 0
    for i, shot in enumerate(shots):
        shots[i] = replace(shot, number=i + 1, start_frame=start)
        start += shot.frames
    if shots:
        title = f"{script.title}\n第{script.episode}集"
        shots[0] = replace(shots[0], title=title, frames=shots[0].frames)
    return replace(board, shots=tuple(shots))


def _film(number: int, scene: Scene, script: Script) -> list[Shot]:
    names = _present(scene, [name for name, _ in script.cast])
    weather = "rain" if WET.search(scene.heading) else "snow" if SNOWY.search(scene.heading) else ""
    blank = Shot(0, number, "wide", 0, 0, scene.heading, scene.place, scene.inside, scene.time, weather, "hold")
    shots: list[Shot] = []
    captions: list[str] = []
    fade_in, lines = False, 0
    entrances = _entrances(scene, names)
    for n, beat in enumerate(scene.beats):
        here = _places([who for who in names if n >= entrances.get(who, 0)])
        match beat:
            case Transition(text):
                if shots and ("OUT" in text or "BLACK" in text):
                    shots[-1] = replace(shots[-1], fade_out=True)
                fade_in = fade_in or "IN" in text.split()
                continue
            case Caption(text):
                if shots:
                    shots[-1] = replace(shots[-1], caption=text, frames=shots[-1].frames + FPS)
                else:
                    captions.append(text)
                continue
            case Action(text):
                shot = _action(blank, text, here, names, first=not shots)
            case Line():
                if beat.together and shots and shots[-1].speeches:
                    shots[-1] = _join(shots[-1], beat, together=True)
                    continue
                if _continues(shots, beat, lines):
                    shots[-1] = _join(shots[-1], beat, together=False)
                    lines += 1
                    continue
                shot = _said(blank, beat, here, lines, first=not shots)
                lines += 1
            case Clip(path, start, end):
                frames = max(1, (end - start) * FPS // 1_000_000)
                shot = replace(blank, framing="clip", file=str(path), clip_us=(start, end), frames=frames)
            case Picture(path, on, length):
                shot = replace(
                    blank, framing="picture", file=str(path), surface=on, frames=_frames(length), move="push"
                )
            case Card():
                shot = replace(blank, framing="card", frames=2 * FPS)
            case _:
                texts = beat.texts
                read_us = 900_000 + sum(700_000 + 90_000 * len(t) for t in texts)
                shot = replace(blank, framing="messages", messages=texts, frames=_frames(min(read_us, 9_000_000)))
        if fade_in:
            shot, fade_in = replace(shot, fade_in=True), False
        if captions:
            shot, captions = replace(shot, caption="\n".join(captions)), []
        shots.append(shot)
    return shots


def _frames(length_us: int) -> int:
    return -(-length_us * FPS // 1_000_000)


def _present(scene: Scene, names: list[str]) -> list[str]:
    """Who is to be seen in a scene: who speaks there in the picture, and who its actions name. At most three."""
    seen: dict[str, None] = {}
    for beat in scene.beats:
        if isinstance(beat, Line) and not beat.off_screen:
            seen.setdefault(beat.who)
        if isinstance(beat, Action):
            for name in sorted((n for n in names if n in beat.text), key=beat.text.index):
                seen.setdefault(name)
    return list(seen)[:3]


def _entrances(scene: Scene, names: list[str]) -> dict[str, int]:
    """The beat at which somebody walks into a scene that has begun without them."""
    found: dict[str, int] = {}
    spoken: set[str] = set()
    for n, beat in enumerate(scene.beats):
        if isinstance(beat, Line):
            spoken.add(beat.who)
        if isinstance(beat, Action) and n and WALKS.search(beat.text):
            walker = min((who for who in names if who in beat.text), key=beat.text.index, default="")
            if walker and walker not in spoken:
                found.setdefault(walker, n)
    return found


def _places(names: list[str]) -> dict[str, Placing]:
    match names:
        case [one]:
            return {one: Placing(one, 0.0, 1)}
        case [left, right]:
            return {left: Placing(left, -0.21, 1), right: Placing(right, 0.21, -1)}
        case [left, middle, right]:
            return {
                left: Placing(left, -0.29, 1),
                middle: Placing(middle, 0.0, 1),
                right: Placing(right, 0.29, -1),
            }
        case _:
            return {}


def _action(blank: Shot, text: str, places: dict[str, Placing], names: list[str], *, first: bool) -> Shot:
    named = sorted((n for n in names if n in text), key=text.index)
    frames = _frames(min(3_800_000, max(2_100_000, 130_000 * len(text.encode()) // 3)))
    walker = named[0] if named and WALKS.search(text) else ""
    cast = tuple(replace(p, enters=p.who == walker) for p in places.values())
    weather = blank.weather or ("rain" if WET.search(text) and not blank.inside else "")
    if first or walker or len(named) != 1:
        return replace(blank, cast=cast, action=text, frames=frames, move="push" if first else "right", weather=weather)
    return replace(
        blank, framing="close", cast=(replace(places[named[0]], x=0.0),), focus=named[0], action=text,
        frames=frames, move="push", weather=weather,
    )  # fmt: skip


def _said(blank: Shot, line: Line, places: dict[str, Placing], lines: int, *, first: bool) -> Shot:
    """A line opens a shot: of both at first and every fourth time, else of whoever speaks."""
    seen = line.who in places and not line.off_screen
    shot = replace(blank, frames=_frames(250_000))
    if not seen:
        shot = replace(shot, framing="wide", cast=tuple(places.values()), move="push")
    elif len(places) > 1 and (first or lines % 4 == 0):
        shot = replace(shot, framing="two", cast=tuple(places.values()), move="push")
    else:
        place = replace(places[line.who], x=-0.05 * places[line.who].facing)
        shot = replace(shot, framing="close", cast=(place,), focus=line.who, move=("push", "hold", "pull")[lines % 3])
    return _join(shot, line, together=False)


def _continues(shots: list[Shot], line: Line, lines: int) -> bool:
    """Whether a line is answered within the shot before it: a two-shot takes two lines, a close one its speaker's."""
    if not shots or not shots[-1].speeches or line.off_screen:
        return False
    last = shots[-1]
    seen = any(p.who == line.who for p in last.cast)
    return seen and last.frames < 4 * FPS and (last.framing == "close" or len(last.speeches) < 2)


def _join(shot: Shot, line: Line, *, together: bool) -> Shot:
    start = shot.speeches[-1].start_frame if together and shot.speeches else shot.frames
    length = _frames(speech.length_us(line.text))
    seen = any(p.who == line.who for p in shot.cast) and not line.off_screen
    said = Speech(line.who, line.text, line.translation, line.manner, start, length, seen)
    frames = max(shot.frames, start + length + _frames(300_000))
    return replace(shot, speeches=(*shot.speeches, said), frames=frames)
