"""Where scenes play: rooms and landscapes painted from a scene heading, the same for the same series and place.

Drawn in pixels about the middle of a 936 x 1664 picture, so that a 720 x 1280 camera can move in it.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from generation.paint import Bytes, Canvas, Colour, box, darker, ellipse, lighter, mix, smooth

WIDTH, HEIGHT = 936, 1664
FLOOR_Y = 430
"""Where feet stand."""
WALL_Y = 215
"""Where a room's wall meets its floor."""

NIGHT = re.compile(r"夜|晚|凌晨|night|midnight", re.IGNORECASE)
DUSK = re.compile(r"黄昏|傍晚|日落|清晨|黎明|dusk|dawn|sunset|evening|sunrise", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """A painted background and the light it throws on whoever stands in it."""

    picture: Bytes
    """uint8[1664, 936, 3]."""
    light: Colour


def paint_place(series: str, place: str, time: str, inside: bool, weather: str) -> Place:
    """The background for a scene; `series`, `place` and `time` decide every detail."""
    hour = "night" if NIGHT.search(time) else "dusk" if DUSK.search(time) else "day"
    rng = random.Random(hashlib.sha256(f"{series}\0{place}\0{inside}".encode()).digest())  # noqa: S311 a look
    c = Canvas(WIDTH, HEIGHT, 1, (WIDTH / 2, HEIGHT / 2))
    sight = _Sight(c, rng, hour, weather)
    painter = next((paint for words, paint in (_ROOMS if inside else _LANDS) if words.search(place)), None)
    (painter or (_home if inside else _street))(sight)
    picture = _graded(c.opaque(), hour if not inside else "day" if hour == "day" else "lamp")
    light: Colour = {"night": (176, 190, 226), "dusk": (255, 222, 196), "day": (255, 255, 255)}[hour]
    return Place(picture, mix(light, (255, 240, 220), 0.55) if inside and hour != "day" else light)


@dataclass(frozen=True, slots=True)
class _Sight:
    c: Canvas
    rng: random.Random
    hour: str
    weather: str

    @property
    def sky(self) -> tuple[Colour, Colour]:
        if self.hour == "night":
            return (16, 22, 52), (58, 66, 110)
        if self.hour == "dusk":
            return (92, 92, 158), (252, 176, 122)
        if self.weather:
            return (138, 152, 172), (204, 212, 220)
        return (92, 160, 228), (214, 236, 250)

    def dim(self, colour: Colour) -> Colour:
        """A colour in the open as the hour lights it."""
        if self.hour == "night":
            return mix(colour, (22, 28, 62), 0.66)
        if self.hour == "dusk":
            return mix(colour, (214, 126, 104), 0.3)
        return mix(colour, (150, 160, 176), 0.3) if self.weather else colour


def _graded(picture: Bytes, mood: str) -> Bytes:
    """A light fall-off towards the corners, and lamp light from above in a room at night."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    fall = 1 - 0.2 * np.clip(x * x * 0.6 + y * y * 0.7, 0, 1)
    out = picture.astype(np.float32) * fall[:, :, None]
    if mood == "lamp":
        glow = np.exp(-((x * 0.9) ** 2 + (y + 0.35) ** 2) * 1.6)
        out = out * (0.62 + 0.4 * glow)[:, :, None] * np.array([1.05, 0.97, 0.86], np.float32)
    return np.asarray(np.clip(out, 0, 255), np.uint8)


# Out of doors


def _sky(s: _Sight, horizon: float) -> None:
    top, low = s.sky
    s.c.fill(box(-WIDTH / 2, -HEIGHT / 2, WIDTH, HEIGHT / 2 + horizon + 4), top, to=low)
    if s.hour == "night":
        for _ in range(120):
            x, y = s.rng.uniform(-460, 460), s.rng.uniform(-830, horizon - 200)
            s.c.fill(ellipse(x, y, r := s.rng.uniform(0.7, 2.1), r), (255, 255, 240), alpha=s.rng.uniform(0.3, 0.9))
        x, y = s.rng.uniform(-250, 280), s.rng.uniform(-560, -420)
        s.c.fill(ellipse(x, y, 110, 110), (190, 204, 255), alpha=0.2, soft=40)
        s.c.fill(ellipse(x, y, 52, 52), (250, 246, 226), to=(226, 222, 214))
        for dx, dy, crater in ((-14, -10, 12), (16, 8, 9), (-4, 22, 7)):
            s.c.fill(ellipse(x + dx, y + dy, crater, crater), (212, 208, 202), alpha=0.6)
        return
    if s.hour == "dusk":
        s.c.fill(ellipse(s.rng.uniform(-160, 160), horizon - 130, 190, 190), (255, 226, 160), alpha=0.45, soft=60)
        s.c.fill(ellipse(s.rng.uniform(-160, 160), horizon - 130, 70, 70), (255, 236, 190), alpha=0.9, soft=3)
    for _ in range(7):
        x, y, size = s.rng.uniform(-460, 460), s.rng.uniform(-780, horizon - 330), s.rng.uniform(40, 85)
        cloud = (255, 214, 196) if s.hour == "dusk" else (255, 255, 255)
        for k in range(5):
            right, down = (k - 2) * size * 0.62, s.rng.uniform(-0.25, 0.2) * size
            s.c.fill(
                ellipse(x + right, y + down, size * (0.9 - 0.16 * abs(k - 2)), size * 0.42), cloud, alpha=0.5, soft=9
            )


def _towers(s: _Sight, horizon: float, tall: tuple[float, float], near: float) -> None:
    """A row of high-rises; `near` in [0, 1] makes them darker and their windows larger."""
    x: float = -WIDTH / 2 - s.rng.uniform(0, 60)
    hue = s.dim(mix((156, 172, 196), (92, 104, 130), near))
    while x < WIDTH / 2:
        w, h = s.rng.uniform(76, 150), s.rng.uniform(*tall)
        wall = mix(hue, s.rng.choice(((196, 160, 140), (120, 140, 170), (170, 170, 176))), 0.22)
        s.c.fill(box(x, horizon - h, w, h), lighter(wall, 0.08), to=darker(wall, 0.16))
        s.c.fill(box(x + w * 0.8, horizon - h, w * 0.2, h), darker(wall, 0.2))
        step = 26 + 10 * near
        for r in range(int(h // step)):
            for k in range(int(w * 0.78 // 20)):
                lit = s.rng.random() < (0.5 if s.hour == "night" else 0.22 if s.hour == "dusk" else 0.0)
                pane = (
                    (255, 216, 140)
                    if lit
                    else darker(wall, 0.24)
                    if s.hour == "night"
                    else mix(wall, (214, 232, 246), 0.5)
                )
                s.c.fill(box(x + 7 + k * 20, horizon - h + 12 + r * step, 11, step * 0.5), pane, alpha=0.9)
        x += w + s.rng.uniform(2, 26)


def _ground(s: _Sight, horizon: float, near: Colour, far: Colour) -> None:
    s.c.fill(box(-WIDTH / 2, horizon, WIDTH, HEIGHT / 2 - horizon), s.dim(far), to=s.dim(near))


def _tree(s: _Sight, x: float, y: float, size: float, leaf: Colour) -> None:
    trunk = s.dim((96, 70, 54))
    wood = [(x - size * 0.06, y), (x - size * 0.035, y - size), (x + size * 0.035, y - size), (x + size * 0.06, y)]
    s.c.fill(wood, trunk, shade=0.3)
    for _ in range(16):
        a, r = s.rng.uniform(0, 2 * math.pi), s.rng.uniform(0, 0.34) * size
        shade = s.dim(mix(leaf, (250, 240, 160), s.rng.uniform(-0.1, 0.3)))
        s.c.fill(
            ellipse(x + r * math.cos(a), y - size * 1.02 + r * math.sin(a) * 0.8, size * 0.2, size * 0.17),
            shade,
            shade=0.25,
        )


def _lamp(s: _Sight, x: float, y: float, tall: float) -> None:
    s.c.stroke([(x, y), (x, y - tall)], (44, 46, 54), 9)
    s.c.stroke(smooth([(x, y - tall), (x + 20, y - tall - 28), (x + 56, y - tall - 20)], closed=False), (44, 46, 54), 7)
    if s.hour != "day":
        s.c.fill(ellipse(x + 58, y - tall + 20, 120, 130), (255, 216, 150), alpha=0.3, soft=34)
    s.c.fill(ellipse(x + 58, y - tall - 10, 20, 13), (255, 238, 200) if s.hour != "day" else (226, 226, 220))


def _street(s: _Sight) -> None:
    horizon = 190.0
    _sky(s, horizon)
    _towers(s, horizon, (380, 760), 0.1)
    _towers(s, horizon + 20, (180, 430), 0.8)
    _ground(s, horizon + 20, (112, 114, 124), (140, 142, 150))
    x: float = -WIDTH / 2
    while x < WIDTH / 2:
        w = s.rng.uniform(150, 230)
        wall = s.dim(s.rng.choice(((196, 120, 96), (214, 186, 140), (120, 150, 150), (176, 140, 170))))
        s.c.fill(box(x, -20, w - 6, 232), lighter(wall, 0.05), to=darker(wall, 0.1))
        glow: Colour = (255, 222, 160) if s.hour != "day" else (196, 220, 232)
        s.c.fill(box(x + 16, 60, w - 38, 130, 4), glow, to=mix(glow, (150, 110, 80), 0.4))
        awning = s.dim(s.rng.choice(((206, 70, 66), (60, 120, 150), (240, 200, 110))))
        s.c.fill([(x + 4, 40), (x + w - 10, 40), (x + w + 2, 74), (x - 8, 74)], awning, shade=0.2)
        for k in range(int(w // 46)):
            s.c.fill(
                [(x + 10 + k * 46, 40), (x + 28 + k * 46, 40), (x + 26 + k * 46, 74), (x + 4 + k * 46, 74)],
                lighter(awning, 0.55),
            )
        x += w
    s.c.fill(box(-WIDTH / 2, 210, WIDTH, 62), s.dim((176, 172, 168)), to=s.dim((150, 148, 146)))
    s.c.fill(box(-WIDTH / 2, 268, WIDTH, 9), s.dim((110, 108, 110)))
    for k in range(6):
        s.c.fill(
            [(-430 + k * 180, 640), (-350 + k * 180, 640), (-362 + k * 176, 664), (-446 + k * 176, 664)],
            s.dim((222, 216, 196)),
        )
    for post in (-330, 250):
        _lamp(s, post, 270, 430)
    if s.weather == "rain":
        for _ in range(26):
            x, y = s.rng.uniform(-460, 460), s.rng.uniform(300, 800)
            s.c.fill(ellipse(x, y, s.rng.uniform(30, 90), 7), mix(s.sky[1], (255, 220, 160), 0.4), alpha=0.28, soft=3)


def _park(s: _Sight) -> None:
    horizon = 130.0
    _sky(s, horizon)
    for k, share in enumerate((0.25, 0.6)):
        hills = [
            (x, horizon - 60 + 50 * k - 90 * abs(math.sin(x / 190 + k * 2 + s.rng.random())))
            for x in range(-480, 481, 60)
        ]
        s.c.fill(
            [*smooth(hills, closed=False), (480, horizon + 60), (-480, horizon + 60)],
            s.dim(mix((150, 190, 170), (84, 140, 96), share)),
        )
    _ground(s, horizon, (88, 142, 84), (132, 178, 104))
    path = [(-60, horizon + 20), (40, horizon + 20), (140, 420), (330, 840), (-330, 840), (-120, 420)]
    s.c.fill(path, s.dim((226, 206, 168)), to=s.dim((196, 172, 136)))
    leaf = s.rng.choice(((92, 154, 84), (236, 152, 166), (226, 164, 74)))
    for x, y, size in ((-300.0, 190.0, 300.0), (270.0, 200.0, 330.0), (-420.0, 330.0, 470.0), (430.0, 360.0, 500.0)):
        _tree(s, x, y, size, leaf)
    for _ in range(40):
        x, y = s.rng.uniform(-460, 460), s.rng.uniform(330, 830)
        if abs(x) > 170:
            s.c.fill(ellipse(x, y, 6, 4), s.dim(s.rng.choice(((250, 220, 230), (255, 240, 160), (240, 150, 170)))))
    s.c.fill(box(-290, 250, 170, 14, 4), s.dim((140, 96, 62)), shade=0.2)
    s.c.fill(box(-290, 205, 170, 12, 4), s.dim((150, 104, 68)), shade=0.2)
    for x in (-276, -140):
        s.c.fill(box(x, 205, 9, 100), s.dim((70, 62, 60)))
    _lamp(s, 205, 300, 380)


def _rooftop(s: _Sight) -> None:
    horizon = 250.0
    _sky(s, horizon)
    _towers(s, horizon, (300, 620), 0.0)
    _towers(s, horizon + 10, (120, 330), 0.6)
    _ground(s, horizon, (136, 132, 134), (168, 164, 164))
    s.c.fill(box(-WIDTH / 2, 220, WIDTH, 60), s.dim((190, 184, 180)), to=s.dim((160, 154, 152)))
    for k in range(12):
        s.c.fill(box(-460 + k * 84, 110, 7, 116), s.dim((90, 96, 108)))
    for y in (108, 160):
        s.c.fill(box(-WIDTH / 2, y, WIDTH, 8), s.dim((104, 110, 122)))
    s.c.fill(box(250, 30, 170, 250, 6), s.dim((176, 180, 186)), shade=0.2)
    for k in range(5):
        s.c.fill(box(268, 70 + k * 34, 134, 14, 3), s.dim((126, 130, 138)))
    for k in range(9):
        s.c.stroke([(-470 + k * 118, 290), (-640 + k * 160, 840)], s.dim((120, 116, 118)), 3, alpha=0.6)


def _sea(s: _Sight) -> None:
    horizon = 60.0
    _sky(s, horizon)
    top, low = s.sky
    s.c.fill(box(-WIDTH / 2, horizon, WIDTH, 300), mix(low, (30, 96, 140), 0.45), to=mix(top, (24, 84, 120), 0.6))
    for _ in range(90):
        x, y = s.rng.uniform(-470, 470), horizon + 290 * s.rng.random() ** 1.6
        wide = 14 + (y - horizon) * 0.3
        s.c.fill(ellipse(x, y, wide, 2.2), lighter(low, 0.35), alpha=0.4)
    x = s.rng.choice((-270, 250))
    rock = [
        (x - 190, horizon + 30),
        (x - 120, horizon - 40),
        (x - 30, horizon - 76),
        (x + 60, horizon - 50),
        (x + 170, horizon + 30),
    ]
    s.c.fill(smooth(rock, closed=False), s.dim((86, 78, 84)), to=s.dim((60, 56, 66)))
    s.c.fill(
        [(x - 34, horizon - 66), (x - 22, horizon - 420), (x + 22, horizon - 420), (x + 34, horizon - 66)],
        s.dim((244, 240, 232)),
        shade=0.3,
    )
    for k in (0, 2):
        y = horizon - 330 + k * 90
        s.c.fill([(x - 27, y), (x + 27, y), (x + 30, y + 60), (x - 30, y + 60)], s.dim((206, 62, 60)), shade=0.3)
    s.c.fill(box(x - 26, horizon - 466, 52, 46, 4), (255, 236, 170))
    s.c.fill([(x - 34, horizon - 464), (x, horizon - 510), (x + 34, horizon - 464)], s.dim((180, 50, 54)))
    if s.hour != "day":
        beam = [
            (x, horizon - 444),
            (x - 700 * (1 if x > 0 else -1), horizon - 600),
            (x - 700 * (1 if x > 0 else -1), horizon - 380),
        ]
        s.c.fill(beam, (255, 240, 190), alpha=0.22, soft=10)
    shore = [(-480, 360), (-200, 330), (120, 352), (480, 318), (480, 840), (-480, 840)]
    s.c.fill(smooth(shore, steps=8), s.dim((240, 220, 178)), to=s.dim((206, 178, 132)))
    s.c.stroke(smooth([(-480, 352), (-200, 324), (120, 346), (480, 312)], closed=False), (250, 250, 250), 10, alpha=0.7)
    for _ in range(26):
        s.c.fill(ellipse(s.rng.uniform(-460, 460), s.rng.uniform(420, 830), 8, 3), s.dim((190, 160, 118)))


def _mountain(s: _Sight) -> None:
    horizon = 170.0
    _sky(s, horizon)
    for layer, (high, share) in enumerate(((520, 0.1), (360, 0.45), (200, 0.8))):
        colour = s.dim(mix((176, 196, 222), (70, 92, 104), share))
        x: float = -560.0
        while x < 520:
            w, h = s.rng.uniform(260, 420), high * s.rng.uniform(0.7, 1.0)
            peak = (x + w * s.rng.uniform(0.4, 0.6), horizon - h)
            s.c.fill([(x, horizon + 20), peak, (x + w, horizon + 20)], lighter(colour, 0.12), to=colour, shade=0.18)
            if layer < 2:
                cap = [(peak[0] - w * 0.13, peak[1] + h * 0.26), peak, (peak[0] + w * 0.13, peak[1] + h * 0.26),
                       (peak[0] + w * 0.04, peak[1] + h * 0.2), (peak[0] - w * 0.04, peak[1] + h * 0.28)]  # fmt: skip
                s.c.fill(cap, s.dim((250, 252, 255)))
            x += w * s.rng.uniform(0.45, 0.7)
    snowy = s.weather == "snow"
    _ground(s, horizon, (236, 240, 248) if snowy else (118, 142, 92), (216, 226, 240) if snowy else (150, 168, 112))
    for x, y, size in ((-330, 210, 190), (-410, 300, 290), (340, 230, 220), (430, 330, 320), (-200, 190, 120)):
        for k in range(4):
            wide, up = size * (0.34 - 0.07 * k), y - size * (0.18 + 0.24 * k)
            s.c.fill(
                [(x - wide, up), (x, up - size * 0.42), (x + wide, up)],
                s.dim(mix((40, 84, 72), (240, 246, 250), 0.45 if snowy else 0.0)),
                shade=0.3,
            )


def _village(s: _Sight) -> None:
    horizon = 150.0
    _sky(s, horizon)
    hills = [(x, horizon - 70 - 110 * abs(math.sin(x / 230 + 1.3))) for x in range(-480, 481, 60)]
    s.c.fill([*smooth(hills, closed=False), (480, horizon + 40), (-480, horizon + 40)], s.dim((120, 160, 130)))
    _ground(s, horizon, (186, 164, 122), (150, 172, 100))
    for k, x in enumerate((-400, -130, 170)):
        w, h = 230, s.rng.uniform(150, 190)
        y = horizon + 70 + 14 * k
        s.c.fill(box(x, y - h, w, h), s.dim((236, 228, 212)), to=s.dim((206, 194, 172)))
        roof = [(x - 34, y - h + 8), (x + 10, y - h - 84), (x + w - 10, y - h - 84), (x + w + 34, y - h + 8)]
        s.c.fill(roof, s.dim((84, 88, 98)), to=s.dim((60, 62, 72)))
        s.c.fill(box(x + 88, y - 96, 56, 96), s.dim((120, 70, 50)), shade=0.2)
        for dx in (26, 170):
            s.c.fill(box(x + dx, y - 110, 40, 44), (255, 214, 140) if s.hour != "day" else s.dim((150, 180, 190)))
        s.c.fill(ellipse(x + 70, y - h + 26, 11, 13), (214, 50, 46))
        s.c.fill(ellipse(x + 160, y - h + 26, 11, 13), (214, 50, 46))
    _tree(s, 420, 360, 430, (96, 150, 84))
    _tree(s, -450, 340, 380, (112, 160, 90))


# In rooms


def _room(s: _Sight, wall: Colour, floor: Colour) -> None:
    s.c.fill(box(-WIDTH / 2, -HEIGHT / 2, WIDTH, HEIGHT / 2 + WALL_Y), lighter(wall, 0.1), to=darker(wall, 0.08))
    s.c.fill(box(-WIDTH / 2, WALL_Y, WIDTH, HEIGHT / 2 - WALL_Y), lighter(floor, 0.06), to=darker(floor, 0.22))
    for k in range(-9, 10):
        s.c.stroke([(k * 70, WALL_Y), (k * 180, HEIGHT / 2)], darker(floor, 0.22), 2.2, alpha=0.6)
    for y in (270, 350, 470, 640):
        s.c.stroke([(-WIDTH / 2, y), (WIDTH / 2, y)], darker(floor, 0.2), 1.8, alpha=0.4)
    s.c.fill(box(-WIDTH / 2, WALL_Y - 20, WIDTH, 22), lighter(wall, 0.35), to=darker(wall, 0.1))


def _window(s: _Sight, x: float, y: float, w: float, h: float) -> None:
    """A window with the sky, a few towers and curtains."""
    s.c.fill(box(x - 12, y - 12, w + 24, h + 24, 4), (240, 236, 228), shade=0.1)
    top, low = s.sky
    s.c.fill(box(x, y, w, h), top, to=low)
    at = x
    while at < x + w - 8:
        wide, tall = min(s.rng.uniform(30, 62), x + w - at), s.rng.uniform(0.2, 0.62) * h
        s.c.fill(box(at, y + h - tall, wide, tall), s.dim((132, 144, 168)))
        if s.hour == "night":
            for _ in range(9):
                s.c.fill(
                    box(at + s.rng.uniform(2, max(3, wide - 8)), y + h - s.rng.uniform(8, tall), 5, 7), (255, 220, 150)
                )
        at += wide + 3
    s.c.fill(box(x + w / 2 - 4, y, 8, h), (236, 232, 224))
    s.c.fill(box(x, y + h * 0.42, w, 7), (236, 232, 224))
    if s.hour == "day":
        s.c.fill(
            [(x, y + h), (x + w, y + h), (x + w + 150, HEIGHT / 2), (x + 60, HEIGHT / 2)],
            (255, 250, 226),
            alpha=0.14,
            soft=8,
        )


def _curtain(s: _Sight, x: float, y: float, w: float, h: float, colour: Colour) -> None:
    s.c.fill(box(x, y, w, h), colour, to=darker(colour, 0.12))
    for k in range(int(w // 16)):
        s.c.stroke([(x + 8 + k * 16, y), (x + 8 + k * 16 + 3, y + h)], darker(colour, 0.18), 4, alpha=0.6)


def _plant(s: _Sight, x: float, y: float, size: float) -> None:
    for k in range(9):
        a = math.radians(-160 + k * 17.5 + s.rng.uniform(-8, 8))
        long = size * s.rng.uniform(0.7, 1.0)
        tip = (x + long * math.cos(a), y - size * 0.3 + long * math.sin(a))
        mid = ((x + tip[0]) / 2 + 14 * math.sin(a), (y - size * 0.3 + tip[1]) / 2 - 14)
        leaf = smooth([(x, y - size * 0.3), mid, tip], closed=False)
        s.c.stroke(leaf, mix((58, 122, 78), (130, 180, 96), s.rng.random()), size * 0.13, taper=True)
    wide, top = size * 0.2, y - size * 0.3
    s.c.fill([(x - wide, top), (x + wide, top), (x + size * 0.15, y), (x - size * 0.15, y)], (206, 128, 92), shade=0.3)


def _framed(s: _Sight, x: float, y: float, w: float, h: float) -> None:
    s.c.fill(box(x, y, w, h, 3), (92, 70, 54), shade=0.2)
    s.c.fill(box(x + 8, y + 8, w - 16, h - 16), (238, 230, 214))
    a, b = s.rng.choice(
        (((206, 120, 96), (240, 200, 130)), ((96, 140, 160), (200, 216, 200)), ((130, 110, 150), (236, 190, 190)))
    )
    s.c.fill(ellipse(x + w * 0.5, y + h * 0.42, w * 0.2, w * 0.2), b)
    hill = [
        (x + 10, y + h - 12),
        (x + w * 0.3, y + h * 0.55),
        (x + w * 0.6, y + h * 0.75),
        (x + w - 10, y + h * 0.5),
        (x + w - 10, y + h - 12),
    ]
    s.c.fill(hill, a)


def _table(s: _Sight, x: float, y: float, w: float, wood: Colour) -> None:
    for dx in (24, w - 40):
        s.c.fill(box(x + dx, y + 12, 16, 190), darker(wood, 0.3))
    s.c.fill(ellipse(x + w / 2, y + 205, w * 0.5, 16), (30, 24, 24), alpha=0.25, soft=8)
    s.c.fill(box(x, y, w, 22, 6), lighter(wood, 0.1), to=darker(wood, 0.1))


def _shelf(s: _Sight, x: float, y: float, w: float, h: float, wood: Colour) -> None:
    s.c.fill(box(x, y, w, h, 3), darker(wood, 0.25))
    rows = max(2, int(h // 92))
    for r in range(rows):
        top = y + 8 + r * (h - 8) / rows
        tall = (h - 8) / rows - 10
        s.c.fill(box(x + 8, top, w - 16, tall), darker(wood, 0.5))
        at = x + 14
        while at < x + w - 30:
            wide = s.rng.uniform(10, 22)
            book = s.rng.uniform(0.55, 0.92) * tall
            s.c.fill(
                box(at, top + tall - book, wide, book),
                s.rng.choice(
                    ((186, 76, 66), (66, 104, 140), (226, 190, 120), (96, 130, 100), (220, 216, 206), (120, 90, 130))
                ),
                shade=0.2,
            )
            at += wide + 2
        s.c.fill(box(x, top + tall, w, 9), wood)


def _pendant(s: _Sight, x: float, y: float) -> None:
    s.c.stroke([(x, -HEIGHT / 2), (x, y)], (60, 54, 52), 4)
    s.c.fill(ellipse(x, y + 60, 130, 120), (255, 226, 160), alpha=0.34 if s.hour != "day" else 0.1, soft=36)
    s.c.fill([(x - 50, y + 46), (x - 18, y), (x + 18, y), (x + 50, y + 46)], (196, 132, 76), to=(150, 92, 56))
    s.c.fill(ellipse(x, y + 48, 30, 10), (255, 244, 206))


def _home(s: _Sight) -> None:
    wall = s.rng.choice(((226, 208, 188), (196, 212, 206), (220, 196, 196)))
    _room(s, wall, (168, 124, 90))
    _window(s, -190, -400, 330, 380)
    for x in (-262, 152):
        _curtain(s, x, -430, 70, 560, s.rng.choice(((188, 120, 110), (116, 146, 150))))
    s.c.fill(box(-284, -442, 510, 12, 5), (110, 84, 66))
    sofa = s.rng.choice(((108, 132, 150), (178, 116, 96), (122, 136, 106)))
    s.c.fill(ellipse(-40, 372, 330, 26), (40, 28, 24), alpha=0.3, soft=12)
    s.c.fill(box(-330, 92, 560, 170, 34), lighter(sofa, 0.06), to=darker(sofa, 0.1), shade=0.15)
    s.c.fill(box(-330, 220, 560, 120, 24), lighter(sofa, 0.16), to=sofa, shade=0.15)
    for x in (-370, 190):
        s.c.fill(box(x, 150, 82, 205, 32), darker(sofa, 0.06), to=darker(sofa, 0.2), shade=0.15)
    for x, colour in ((-230, (238, 206, 140)), (90, (214, 120, 110))):
        s.c.fill(box(x, 130, 96, 92, 20), colour, shade=0.25)
    _framed(s, -430, -330, 130, 170)
    _framed(s, 262, -350, 150, 120)
    _plant(s, 392, 330, 260)
    _pendant(s, 330, -330)


def _cafe(s: _Sight) -> None:
    _room(s, (150, 104, 80), (110, 78, 60))
    _window(s, -410, -420, 420, 480)
    s.c.fill(box(60, -470, 340, 250, 10), (48, 58, 54), shade=0.1)
    for k in range(6):
        s.c.stroke([(90, -420 + k * 34), (90 + s.rng.uniform(120, 260), -420 + k * 34)], (226, 220, 200), 5, alpha=0.75)
    for k in range(2):
        s.c.fill(box(60, -150 + k * 120, 350, 14, 3), (92, 62, 46))
        for j in range(7):
            s.c.fill(
                box(76 + j * 47, -150 + k * 120 - 52, 30, 52, 8),
                s.rng.choice(((230, 226, 214), (170, 90, 70), (90, 126, 120))),
                shade=0.25,
            )
    s.c.fill(box(30, 60, 440, 190, 6), (96, 64, 48), to=(72, 46, 36))
    s.c.fill(box(20, 44, 460, 24, 6), (190, 140, 96))
    s.c.fill(box(300, -40, 110, 86, 8), (176, 180, 186), shade=0.25)
    _table(s, -420, 200, 300, (176, 122, 84))
    s.c.fill(box(-300, 172, 34, 28, 6), (246, 242, 236), shade=0.2)
    for x in (-280, 30, 330):
        _pendant(s, x, -520 + 30 * (x % 3))
    _plant(s, -60, 250, 130)


def _office(s: _Sight) -> None:
    _room(s, (206, 212, 220), (132, 126, 124))
    _window(s, -430, -520, 560, 560)
    for x in range(-430, 131, 8):
        if x % 40 == 0:
            s.c.fill(box(x, -520, 2, 560), (250, 250, 250), alpha=0.35)
    _shelf(s, 200, -400, 230, 600, (120, 88, 66))
    s.c.fill(ellipse(-130, 372, 330, 26), (30, 26, 26), alpha=0.3, soft=12)
    s.c.fill(box(-430, 190, 560, 30, 5), (118, 82, 60), to=(92, 62, 46))
    s.c.fill(box(-410, 220, 520, 150, 3), (100, 70, 52), to=(76, 52, 40))
    s.c.fill(box(-300, 60, 190, 118, 6), (36, 38, 44))
    s.c.fill(box(-292, 68, 174, 100, 3), (86, 136, 176), to=(50, 86, 130))
    s.c.fill(box(-216, 176, 24, 16), (50, 52, 58))
    for k in range(4):
        s.c.fill(box(-60, 178 - k * 10, 110, 12, 2), s.rng.choice(((240, 236, 226), (90, 120, 150), (200, 196, 190))))
    _plant(s, 410, 360, 240)


def _hospital(s: _Sight) -> None:
    _room(s, (214, 228, 228), (180, 192, 192))
    s.c.fill(box(-WIDTH / 2, -40, WIDTH, 256), (168, 204, 200), to=(150, 190, 188))
    _window(s, -120, -430, 300, 330)
    _curtain(s, 260, -560, 200, 780, (150, 190, 206))
    s.c.fill(box(-430, 150, 520, 60, 14), (250, 250, 250), to=(222, 228, 232), shade=0.1)
    s.c.fill(box(-440, 60, 26, 290, 8), (176, 186, 194), shade=0.25)
    s.c.fill(box(-410, 112, 140, 60, 22), (255, 255, 255), shade=0.15)
    s.c.fill(box(-430, 206, 520, 46, 8), (150, 176, 196), shade=0.15)
    for x in (-400, 60):
        s.c.fill(box(x, 250, 14, 100), (160, 168, 176))
    s.c.stroke([(150, 350), (150, -240)], (170, 178, 184), 8)
    s.c.fill(box(116, -240, 68, 110, 16), (226, 240, 246), alpha=0.85, shade=0.2)
    s.c.fill(box(-360, -250, 170, 120, 8), (50, 56, 66))
    beat = [(-350, -190), (-310, -190), (-296, -228), (-280, -160), (-264, -190), (-206, -190)]
    s.c.stroke(beat, (110, 236, 150), 4)


def _studio(s: _Sight) -> None:
    _room(s, (40, 56, 104), (46, 50, 72))
    for k in range(7):
        s.c.fill(box(-460 + k * 134, -760, 120, 960, 6), mix((36, 70, 140), (96, 60, 150), k / 6), to=(24, 30, 66))
    s.c.fill(box(-330, -460, 660, 400, 12), (16, 22, 42))
    s.c.fill(box(-316, -446, 632, 372, 6), (40, 90, 160), to=(110, 60, 140))
    for k in range(5):
        s.c.stroke([(-316, -400 + k * 70), (316, -430 + k * 70)], (150, 200, 240), 2, alpha=0.4)
    s.c.fill(ellipse(0, -260, 120, 120), (96, 170, 226), alpha=0.6)
    s.c.fill(box(-380, 170, 760, 200, 40), (60, 84, 150), to=(30, 40, 84), shade=0.2)
    s.c.fill(box(-400, 150, 800, 34, 16), (210, 220, 236))


def _class_room(s: _Sight) -> None:
    _room(s, (232, 224, 196), (156, 132, 104))
    s.c.fill(box(-340, -440, 560, 320, 6), (120, 84, 58))
    s.c.fill(box(-326, -426, 532, 292), (42, 84, 72), to=(36, 72, 62))
    for k in range(4):
        s.c.stroke(
            [(-280, -380 + 56 * k), (-280 + s.rng.uniform(200, 420), -384 + 56 * k)], (236, 240, 230), 6, alpha=0.7
        )
    _window(s, 290, -420, 150, 380)
    for x in (-420, -130, 160):
        _table(s, x, 190, 240, (200, 156, 104))


_LANDS: tuple[tuple[re.Pattern[str], Callable[[_Sight], None]], ...] = (
    (re.compile(r"海|沙滩|码头|灯塔|sea|beach|harbou?r|lighthouse|coast", re.IGNORECASE), _sea),
    (re.compile(r"天台|楼顶|roof", re.IGNORECASE), _rooftop),
    (re.compile(r"山|雪原|森林|mountain|forest|snow", re.IGNORECASE), _mountain),
    (re.compile(r"村|院|田|乡|village|farm|courtyard", re.IGNORECASE), _village),
    (re.compile(r"公园|花园|湖|树|park|garden|lake", re.IGNORECASE), _park),
)
_ROOMS: tuple[tuple[re.Pattern[str], Callable[[_Sight], None]], ...] = (
    (re.compile(r"咖啡|餐厅|茶|酒吧|店|cafe|café|restaurant|bar|shop", re.IGNORECASE), _cafe),
    (re.compile(r"医院|病房|hospital|ward|clinic", re.IGNORECASE), _hospital),
    (re.compile(r"办公|公司|会议|总裁|书房|office|study|library", re.IGNORECASE), _office),
    (re.compile(r"演播|直播|新闻|studio|news", re.IGNORECASE), _studio),
    (re.compile(r"教室|学校|school|class", re.IGNORECASE), _class_room),
)


def blurred(picture: Bytes, sigma: float) -> Bytes:
    """The background out of focus, for close shots."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
