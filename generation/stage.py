"""Filming one shot: the place, the people in it, the camera, frame by frame."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from generation import figures, lettering, places, speech
from generation.figures import Figure, Look, Pose
from generation.paint import (
    Bytes,
    Canvas,
    Point,
    blend,
    box,
    ellipse,
    lay_over,
)
from generation.storyboard import FPS, HEIGHT, TITLE_FRAMES, WIDTH, Board, Placing, Shot

HEAD = 128
"""Pixels of a head in the world, where the camera's zoom is 1."""
HEAD_Y = places.FLOOR_Y + (figures.NECK_Y - 0.55) * HEAD
FRAMINGS = {"wide": (1.0, 20.0, 0.0), "two": (1.72, -78.0, 2.2), "close": (3.1, -142.0, 4.5)}
"""Zoom, height the camera looks at, and how far the background is out of focus."""
CROWD = (1.42, -40.0)
"""Zoom and height of a shot of three people talking."""
FADE_FRAMES = 14
TITLE_Y = 200
"""Below the AI label, which ends 190 pixels from the top of a picture of this size."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera looks in the world, and how near."""

    x: float
    y: float
    zoom: float

    def sees(self, x: float, y: float) -> Point:
        """Where a point of the world lies on the frame."""
        return (x - self.x) * self.zoom + WIDTH / 2, (y - self.y) * self.zoom + HEIGHT / 2


@dataclass
class Stage:
    """Everything one episode is filmed with; places and figures are painted once and kept."""

    board: Board
    looks: dict[str, Look]
    font: Path
    _figures: dict[tuple[str, int, tuple[float, float, float]], Figure] = field(default_factory=dict)

    def film(self, shot: Shot, wanted: Sequence[int] | None = None) -> Iterator[Bytes]:
        """The frames of `shot` as uint8[1280, 720, 3], rgb; each is the caller's until the next is asked for.

        `wanted` names the frames to draw, in order; without it, all.
        """
        numbers = range(shot.frames) if wanted is None else wanted
        ways = {"messages": self._messages, "picture": self._picture, "card": self._card}
        frames = ways.get(shot.framing, self._scene)(shot, numbers)
        rng = random.Random(f"{self.board.seed}/{shot.number}")  # noqa: S311 a look
        weather = None if shot.inside or not shot.weather else _weather(shot.weather, rng.randrange(1 << 30))
        for n, frame in zip(numbers, frames, strict=True):
            if weather is not None and shot.framing in FRAMINGS:
                _fall(frame, weather, n, 30 if shot.weather == "rain" else 4)
            self._words(frame, shot, n)
            yield _faded(frame, shot, n)

    def still(self, shot: Shot) -> Bytes:
        """One frame from the middle of a shot."""
        return next(self.film(shot, [shot.frames // 2]))

    def _scene(self, shot: Shot, wanted: Sequence[int]) -> Iterator[Bytes]:
        place = _place(self.board.series, shot.place, shot.time, shot.inside, shot.weather)
        zoom, height, soft = FRAMINGS[shot.framing]
        if shot.framing == "two" and len(shot.cast) > 2:
            zoom, height = CROWD
        backdrop = places.blurred(place.picture, soft) if soft else place.picture
        cast = sorted(shot.cast, key=lambda p: p.who == shot.focus)
        actors = [_Actor(p, shot, self._figure(p.who, zoom, place.light)) for p in cast]
        frame = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        for n in wanted:
            camera = _moved(Camera(0.0, height, zoom), shot, n)
            _backdrop(frame, backdrop, camera, shot.framing)
            for actor in actors:
                actor.draw(frame, camera, n)
            yield frame

    def _figure(self, who: str, zoom: float, light: tuple[float, float, float]) -> Figure:
        key = (who, round(zoom * 100), light)
        if key not in self._figures:
            self._figures[key] = Figure(self.looks[who], HEAD * zoom, light)
        return self._figures[key]

    def _messages(self, shot: Shot, wanted: Sequence[int]) -> Iterator[Bytes]:
        """A telephone, on which messages appear one after the other."""
        place = _place(self.board.series, shot.place, shot.time, shot.inside, shot.weather)
        still = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        _backdrop(still, places.blurred(place.picture, 9), Camera(0, 0, 1.3), "wide")
        blend(still, _telephone())
        each = max(1, (shot.frames - FPS) // len(shot.messages))
        y, shown = 268, 0
        for n in wanted:
            while shown < len(shot.messages) and n >= 8 + shown * each:
                bubble = _bubble(shot.messages[shown], self.font)
                lay_over(still, bubble, np.array([[1, 0, 104], [0, 1, y]], np.float64))
                y += bubble.shape[0] + 26
                shown += 1
            yield still.copy()

    def _picture(self, shot: Shot, wanted: Sequence[int]) -> Iterator[Bytes]:
        """A picture on a telephone, a wall, a news screen, or filling the frame; the camera comes nearer."""
        place = _place(self.board.series, shot.place, shot.time, shot.inside, shot.weather)
        still = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        _backdrop(still, places.blurred(place.picture, 8), Camera(0, 0, 1.3), "wide")
        x, y, w, h = _MOUNTS[shot.surface]
        if shot.surface == "phone":
            blend(still, _telephone())
        elif shot.surface != "full":
            _mount(still, shot.surface, (x, y, w, h))
        still[y : y + h, x : x + w] = _fitted(_read_picture(shot.file), w, h)
        frame = np.empty_like(still)
        for n in wanted:
            nearer = 1 + 0.05 * n / max(1, shot.frames - 1)
            turn = np.array([[nearer, 0, 360 * (1 - nearer)], [0, nearer, 560 * (1 - nearer)]])
            cv2.warpAffine(
                still, turn, (WIDTH, HEIGHT), dst=frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            yield frame

    def _card(self, _shot: Shot, wanted: Sequence[int]) -> Iterator[Bytes]:
        for _ in wanted:
            yield calibration_card()

    def _words(self, frame: Bytes, shot: Shot, n: int) -> None:
        """The title over the first shot, and what the script lays over the picture."""
        if shot.title and n < TITLE_FRAMES:
            name, _, number = shot.title.partition("\n")
            share = min(1.0, n / 10, (TITLE_FRAMES - n) / 10)
            size = next((s for s in range(72, 47, -4) if lettering.face(self.font, s).getlength(name) < 600), 48)
            lines = "\n".join(lettering.wrap(name, self.font, size, 620))
            big = lettering.words(lines, self.font, size, stroke=6, outline=(40, 20, 30))
            _centred(frame, lettering.faded(big, share), TITLE_Y)
            small = lettering.words(number, self.font, 46, colour=(255, 226, 160), stroke=4, outline=(40, 20, 30))
            _centred(frame, lettering.faded(small, share), TITLE_Y + big.shape[0])
        if shot.caption:
            share = min(1.0, max(0.0, (n - shot.frames + 2 * FPS) / 10))
            lines = "\n".join(lettering.wrap(shot.caption, self.font, 56, 620))
            text = lettering.words(lines, self.font, 56, stroke=5, outline=(30, 20, 30))
            _centred(frame, lettering.faded(text, share), 720)


@dataclass
class _Actor:
    """One character in one shot."""

    placing: Placing
    shot: Shot
    figure: Figure

    def draw(self, frame: Bytes, camera: Camera, n: int) -> None:
        t = n / FPS
        phase = sum(map(ord, self.placing.who)) % 7
        scale = 0.7 if self.shot.framing == "two" else 1.0
        x = self.placing.x * WIDTH * (scale if self.shot.framing != "close" else 0.35)
        facing, legs, bob = self.placing.facing, (0.0, 0.0, 0.0, 0.0), 0.012 * math.sin(2.1 * t + phase)
        arms = _rest(t, phase)
        if self.placing.enters and self.shot.framing == "wide":
            through = min(1.0, n / (0.72 * self.shot.frames))
            from_x = -560.0 if x <= 0 else 560.0
            if through < 1:
                facing = 1 if from_x < 0 else -1
                legs, arms, bob = _stride((1 - through) * (x - from_x) / HEAD)
            x = x + (from_x - x) * (1 - through)
        talk = next(
            (s for s in self.shot.speeches if s.who == self.placing.who and 0 <= n - s.start_frame < s.frames), None
        )
        mood = next(
            (s.manner for s in reversed(self.shot.speeches) if s.who == self.placing.who and n >= s.start_frame), None
        )
        if mood is None:
            mood = next((s.manner for s in self.shot.speeches if s.who == self.placing.who), self.shot.action)
        mouth, tilt = 0, 0.02 * math.sin(1.3 * t + phase)
        if talk is not None:
            at_us = (n - talk.start_frame) * 1_000_000 // FPS
            opened, vowel = speech.openness(speech.syllables(talk.text), at_us)
            mouth = _mouth(opened, vowel)
            tilt += 0.045 * math.sin(4.1 * t + phase) * (0.4 + opened)
            bob += 0.01 * opened
            arms = _gesture(t, phase, arms)
        pose = Pose(figures.feeling(mood), mouth, _blink(n, phase), tilt, bob, arms, legs)
        sunk = (1 - math.cos(legs[0])) * -figures.HIP_Y * HEAD  # a stride brings the hips nearer to the ground
        where = camera.sees(x, places.FLOOR_Y)
        if self.shot.framing == "wide":
            lay_over(frame, _shadow(), np.array([[1, 0, where[0] - 90], [0, 1, where[1] - 22]], np.float64))
        self.figure.draw(frame, (where[0], where[1] + sunk * camera.zoom), facing, pose, camera.zoom * HEAD)


def calibration_card() -> Bytes:
    """The picture every gate must stop, as docs/classifiers.md defines it: a 16 x 16 board of the bits of a digest."""
    bits = np.unpackbits(np.frombuffer(hashlib.sha256(b"dramagate calibration card 1").digest(), np.uint8))
    board = np.where(bits.reshape(16, 16), 224, 32).astype(np.uint8)
    large = cv2.resize(board, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    return np.repeat(large[:, :, None], 3, axis=2)


Arms = tuple[float, float, float, float]


def _rest(t: float, phase: int) -> Arms:
    sway = 0.03 * math.sin(1.7 * t + phase)
    return (0.07 + sway, 0.12 + sway, -0.07 + sway, 0.06 + sway)


def _gesture(t: float, phase: int, rest: Arms) -> Arms:
    """A hand that underlines what is said."""
    beat = math.sin(3.3 * t + phase)
    return (0.16 + 0.1 * beat, 1.95 + 0.3 * math.sin(4.3 * t + phase), rest[2], rest[3])


def _stride(heads: float) -> tuple[Arms, Arms, float]:
    """Legs, arms and rise of somebody who has `heads` still to go."""
    a = heads * 2 * math.pi / 1.9
    swing = math.sin(a)
    legs = (0.42 * swing, 0.5 * max(0.0, math.cos(a)), -0.42 * swing, 0.5 * max(0.0, -math.cos(a)))
    return legs, (-0.4 * swing, 0.25, 0.4 * swing, 0.25), 0.03 * abs(math.cos(a))


def _mouth(opened: float, vowel: int) -> int:
    if opened < 0.14:
        return 0
    if opened < 0.34:
        return 1
    return (4, 2, 2, 3, 3)[vowel] if opened > 0.6 or vowel else 2


def _blink(n: int, phase: int) -> int:
    at = (n + phase * 17) % 83
    return {0: 1, 1: 2, 2: 2, 3: 1}.get(at, 0)


def _moved(camera: Camera, shot: Shot, n: int) -> Camera:
    share = n / max(1, shot.frames - 1)
    ease = share * share * (3 - 2 * share)
    match shot.move:
        case "push":
            return Camera(camera.x, camera.y - 12 * ease, camera.zoom * (1 + 0.07 * ease))
        case "pull":
            return Camera(camera.x, camera.y, camera.zoom * (1.06 - 0.06 * ease))
        case "left" | "right":
            side = -1 if shot.move == "left" else 1
            return Camera(side * (60 * ease - 30) / camera.zoom, camera.y, camera.zoom * 1.03)
        case _:
            return camera


def _backdrop(frame: Bytes, picture: Bytes, camera: Camera, framing: str) -> None:
    """The place behind the people; far things move and grow less than near ones."""
    depth = 1.0 if framing == "wide" else 0.42
    zoom = 1 + (camera.zoom - 1) * depth
    x = places.WIDTH / 2 + camera.x * depth
    y = places.HEIGHT / 2 + camera.y * (1.0 if framing == "wide" else 0.75)
    half_w, half_h = WIDTH / 2 / zoom, HEIGHT / 2 / zoom
    x = min(max(x, half_w), places.WIDTH - half_w)
    y = min(max(y, half_h), places.HEIGHT - half_h)
    matrix = np.array([[zoom, 0, WIDTH / 2 - x * zoom], [0, zoom, HEIGHT / 2 - y * zoom]], np.float64)
    cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), dst=frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _faded(frame: Bytes, shot: Shot, n: int) -> Bytes:
    light = 1.0
    if shot.fade_in:
        light = min(light, (n + 1) / FADE_FRAMES)
    if shot.fade_out:
        light = min(light, (shot.frames - n - 1) / FADE_FRAMES)
    return frame if light >= 1 else np.asarray(cv2.convertScaleAbs(frame, alpha=max(0.0, light)), np.uint8)


@lru_cache(maxsize=16)
def _place(series: str, place: str, time: str, inside: bool, weather: str) -> places.Place:
    return places.paint_place(series, place, time, inside, weather)


@lru_cache(maxsize=1)
def _shadow() -> Bytes:
    c = Canvas(180, 44, 1)
    c.fill(ellipse(90, 22, 66, 11), (18, 14, 22), alpha=0.42, soft=4)
    return c.picture()


@lru_cache(maxsize=4)
def _weather(kind: str, seed: int) -> Bytes:
    """A tile of rain or snow that repeats from top to bottom."""
    rng = random.Random(seed)  # noqa: S311 a look
    c = Canvas(WIDTH, HEIGHT, 1)
    for _ in range(240 if kind == "rain" else 150):
        x, y = rng.uniform(-40, WIDTH), rng.uniform(0, HEIGHT)
        if kind == "rain":
            long = rng.uniform(26, 60)
            for dy in (0, -HEIGHT):
                c.stroke(
                    [(x, y + dy), (x + long * 0.16, y + dy + long)], (214, 226, 244), 1.7, alpha=rng.uniform(0.16, 0.4)
                )
        else:
            r = rng.uniform(1.6, 5)
            for dy in (0, -HEIGHT, HEIGHT):
                c.fill(ellipse(x, y + dy, r, r), (255, 255, 255), alpha=rng.uniform(0.5, 0.95))
    return c.picture()


def _fall(frame: Bytes, tile: Bytes, n: int, speed: int) -> None:
    at = n * speed % HEIGHT
    blend(frame[at:], tile[: HEIGHT - at])
    if at:
        blend(frame[:at], tile[HEIGHT - at :])


def _centred(frame: Bytes, sprite: Bytes, y: int) -> None:
    x = (WIDTH - sprite.shape[1]) / 2
    lay_over(frame, sprite, np.array([[1, 0, round(x)], [0, 1, y]], np.float64))


_MOUNTS = {
    "phone": (84, 210, 552, 760),
    "wall": (110, 230, 500, 640),
    "news": (50, 210, 620, 620),
    "full": (0, 0, WIDTH, HEIGHT),
}
"""Where a picture lies on the frame: x, y, width, height."""


@lru_cache(maxsize=1)
def _telephone() -> Bytes:
    """A telephone that fills most of the frame, its screen a light grey."""
    c = Canvas(WIDTH, HEIGHT, 1)
    c.fill(box(64, 110, 592, 1080, 62), (0, 0, 0), alpha=0.35, soft=14)
    c.fill(box(60, 96, 600, 1080, 62), (26, 28, 34), shade=0.2)
    c.fill(box(80, 116, 560, 1040, 46), (238, 240, 244), to=(226, 229, 236))
    c.fill(box(80, 116, 560, 88, 46), (250, 250, 252))
    c.fill(box(80, 160, 560, 44), (250, 250, 252))
    c.fill(box(270, 128, 180, 26, 13), (20, 20, 24))
    c.fill(ellipse(140, 178, 16, 16), (196, 150, 120))
    c.fill(box(168, 168, 150, 20, 10), (196, 200, 208))
    return c.picture()


def _bubble(text: str, font: Path) -> Bytes:
    """A message in a speech bubble."""
    lines = lettering.wrap(text, font, 44, 380)
    ink = lettering.words("\n".join(lines), font, 44, colour=(24, 26, 30), spacing=1.36)
    height, width = ink.shape[0] + 36, ink.shape[1] + 48
    c = Canvas(width + 8, height + 8, 1)
    c.fill(box(4, 6, width, height, 24), (0, 0, 0), alpha=0.14, soft=2)
    c.fill(box(2, 2, width, height, 24), (255, 255, 255))
    sprite = c.picture()
    over = np.zeros_like(sprite)
    over[20 : 20 + ink.shape[0], 26 : 26 + ink.shape[1]] = ink
    clear = 255 - over[:, :, 3:].astype(np.uint16)
    return (sprite * clear // 255 + over).astype(np.uint8)


def _mount(still: Bytes, surface: str, where: tuple[int, int, int, int]) -> None:
    x, y, w, h = where
    c = Canvas(WIDTH, HEIGHT, 1)
    c.fill(box(x - 22, y - 12, w + 44, h + 50, 6), (0, 0, 0), alpha=0.4, soft=14)
    if surface == "wall":
        c.fill(box(x - 24, y - 24, w + 48, h + 48, 4), (140, 98, 62), to=(96, 64, 40), shade=0.25)
        c.fill(box(x - 8, y - 8, w + 16, h + 16), (236, 226, 204))
    else:
        c.fill(box(x - 18, y - 18, w + 36, h + 130, 14), (22, 24, 30), shade=0.2)
        c.fill(box(x, y + h, w, 92), (178, 30, 44), to=(140, 16, 34))
        c.fill(box(x + 18, y + h + 24, 60, 44, 4), (250, 250, 250))
    blend(still, c.picture())


def _fitted(picture: Bytes, width: int, height: int) -> Bytes:
    """The picture scaled to fill width x height, its upper middle kept."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    w, h = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(picture, (w, h), interpolation=how)
    x, y = (w - width) // 2, (h - height) // 4
    return np.asarray(large[y : y + height, x : x + width], np.uint8)


def _read_picture(path: str) -> Bytes:
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
