"""Cartoon people: a look made from a name and a few words, drawn as parts that move like a cut-out puppet.

Lengths are in heads; a figure stands 5.5 heads tall with its feet at (0, 0) and y pointing down.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from generation.paint import (
    Bytes,
    Canvas,
    Colour,
    Point,
    box,
    cropped,
    darker,
    ellipse,
    lay_over,
    lighter,
    mix,
    smooth,
    tinted,
)

TALL = 5.5
NECK_Y = -4.36
SHOULDER_Y = -4.22
HIP_Y = -2.5
MANNERS = {
    "angry": ("angry", "怒", "吼", "冷", "cold", "shout"),
    "sad": ("sad", "哭", "泪", "哽咽", "cry", "低声", "quiet"),
    "happy": ("happy", "笑", "smil", "喜", "温柔", "laugh"),
    "surprised": ("surprise", "惊", "愣", "shock", "急"),
}
"""Words of a parenthetical that change a face."""

SKIN: tuple[Colour, ...] = ((255, 224, 200), (250, 212, 184), (240, 198, 166), (226, 178, 144))
HAIR: tuple[Colour, ...] = ((34, 28, 34), (52, 36, 30), (82, 52, 36), (40, 38, 52), (110, 68, 44))
CLOTHES: dict[str, Colour] = {
    "red": (196, 54, 60),
    "blue": (58, 96, 160),
    "green": (62, 124, 96),
    "black": (46, 48, 58),
    "white": (236, 234, 230),
    "grey": (132, 138, 150),
    "gray": (132, 138, 150),
    "pink": (236, 150, 166),
    "yellow": (238, 190, 84),
    "purple": (122, 86, 152),
    "brown": (132, 92, 66),
    "orange": (226, 126, 66),
}
GARMENTS = ("suit", "coat", "dress", "hoodie", "shirt")
HAIRCUTS = ("short", "long", "bob", "bun", "ponytail", "spiky", "grey")


@dataclass(frozen=True, slots=True)
class Look:
    """What makes a character recognisable from shot to shot."""

    woman: bool
    skin: Colour
    hair: Colour
    haircut: str
    garment: str
    colour: Colour
    trousers: Colour
    iris: Colour
    glasses: bool
    old: bool
    pitch_hz: float


@lru_cache(maxsize=64)
def look_of(name: str, words: str) -> Look:
    """The look of `name`: what `words` say ("woman, long hair, red coat"), the rest chosen by the name."""
    rng = random.Random(hashlib.sha256(name.encode()).digest())  # noqa: S311 a look, not a secret
    said = words.lower()
    asked = set(said.replace(",", " ").split())
    woman = bool(asked & {"woman", "girl", "female", "女"}) or (
        not asked & {"man", "boy", "male", "男"} and rng.random() < 0.5
    )
    old = bool(asked & {"old", "elder", "grandmother", "grandfather", "老"}) or name.startswith("老")
    hair = (196, 196, 200) if old or "grey hair" in said else rng.choice(HAIR)
    cuts = ("long", "bob", "bun", "ponytail") if woman else ("short", "spiky", "short")
    haircut = next((c for c in HAIRCUTS if f"{c} hair" in said or c in asked & set(cuts)), rng.choice(cuts))
    garment = next((g for g in GARMENTS if g in asked), rng.choice(("dress", "coat", "shirt") if woman else GARMENTS))
    colour = next((CLOTHES[c] for c in CLOTHES if f"{c} {garment}" in said), rng.choice(list(CLOTHES.values())))
    return Look(
        woman=woman,
        skin=rng.choice(SKIN[:3] if woman else SKIN),
        hair=hair,
        haircut="bun" if haircut == "grey" and woman else "short" if haircut == "grey" else haircut,
        garment=garment,
        colour=colour,
        trousers=rng.choice(((56, 60, 76), (72, 66, 62), (44, 52, 74))),
        iris=rng.choice(((86, 58, 42), (58, 74, 96), (70, 92, 70), (98, 66, 38))),
        glasses="glasses" in asked or "眼镜" in said,
        old=old,
        pitch_hz=(rng.uniform(205, 250) if woman else rng.uniform(105, 140)) * (0.88 if old else 1.0),
    )


def feeling(manner: str) -> str:
    """The face a parenthetical asks for: neutral, happy, sad, angry or surprised."""
    said = manner.lower()
    return next((face for face, words in MANNERS.items() if any(w in said for w in words)), "neutral")


@dataclass(frozen=True, slots=True)
class Pose:
    """One moment of a figure. Angles in radians, 0 hangs straight down, positive swings forwards."""

    feeling: str = "neutral"
    mouth: int = 0
    """0 closed, 1 ajar, 2 wide, 3 round, 4 wide open."""
    blink: int = 0
    """0 open, 1 half, 2 shut."""
    tilt: float = 0.0
    bob: float = 0.0
    """How far head and shoulders rise, in heads."""
    arms: tuple[float, float, float, float] = (0.08, 0.1, -0.08, -0.1)
    """Near upper arm, near forearm, far upper arm, far forearm."""
    legs: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Near thigh, near shin, far thigh, far shin."""


@dataclass
class Figure:
    """One character drawn at one size under one light; parts are painted once and kept."""

    look: Look
    head_px: float
    """Pixels per head height its parts are painted at."""
    light: Colour = (255, 255, 255)
    _parts: dict[tuple[str, int, int, str], tuple[Bytes, Point]] = field(default_factory=dict)

    def draw(self, frame: Bytes, at: Point, facing: int, pose: Pose, size: float | None = None) -> None:
        """Draw the figure onto `frame` (rgb) with its feet at `at` pixels, looking left (-1) or right (1).

        `size` is how many pixels a head is tall in this frame, where that is not what its parts are painted at.
        """
        body = _Joint(at, size or self.head_px, facing)
        sway = body.at((0, 0))
        chest = sway.at((0, -pose.bob))
        head = chest.at((0, NECK_Y)).turned(pose.tilt)
        wide = 0.48 if self.look.woman else 0.6
        hip = 0.2 if self.look.woman else 0.22
        skirt = self.look.garment == "dress"
        self._put(frame, head, "hair_back")
        self._arm(frame, chest, -wide, pose.arms[2], pose.arms[3])
        for side, thigh, shin in ((-hip, pose.legs[2], pose.legs[3]), (hip, pose.legs[0], pose.legs[1])):
            upper = sway.at((side, HIP_Y - 0.02)).turned(thigh)
            self._put(frame, upper.at((0, 1.22)).turned(-shin), "shin")
            self._put(frame, upper, "thigh")
        if skirt:
            self._put(frame, sway, "skirt")
        self._put(frame, chest, "torso")
        self._put(frame, head, "head", pose.mouth, pose.blink, pose.feeling)
        self._arm(frame, chest, wide, pose.arms[0], pose.arms[1])

    def _arm(self, frame: Bytes, chest: _Joint, x: float, upper: float, fore: float) -> None:
        shoulder = chest.at((x, SHOULDER_Y + 0.2)).turned(upper)
        self._put(frame, shoulder.at((0, 0.86)).turned(fore), "forearm")
        self._put(frame, shoulder, "upper_arm")

    def _put(self, frame: Bytes, joint: _Joint, part: str, mouth: int = 0, blink: int = 0, face: str = "") -> None:
        key = (part, mouth, blink, face)
        if key not in self._parts:
            canvas = _PAINTERS[part](self.look, self.head_px, mouth, blink, face)
            picture, corner = cropped(canvas.picture())
            pivot = (canvas.origin[0] * self.head_px - corner[0], canvas.origin[1] * self.head_px - corner[1])
            self._parts[key] = (tinted(picture, self.light), pivot)
        sprite, pivot = self._parts[key]
        lay_over(frame, sprite, joint.matrix(pivot, joint.head_px / self.head_px))


@dataclass(frozen=True, slots=True)
class _Joint:
    """A place parts hang from: where it is on the frame and how it is turned."""

    where: Point
    head_px: float
    facing: int
    angle: float = 0.0

    def at(self, offset: Point) -> _Joint:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        x, y = offset[0] * cos - offset[1] * sin, offset[0] * sin + offset[1] * cos
        moved = (self.where[0] + self.facing * x * self.head_px, self.where[1] + y * self.head_px)
        return _Joint(moved, self.head_px, self.facing, self.angle)

    def turned(self, by: float) -> _Joint:
        return _Joint(self.where, self.head_px, self.facing, self.angle - by)

    def matrix(self, pivot: Point, scale: float) -> NDArray[np.float64]:
        """Where a sprite lies whose pixel `pivot` hangs from this joint."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        flip = np.array([[self.facing * scale, 0], [0, scale]], np.float64)
        linear = flip @ np.array([[cos, -sin], [sin, cos]], np.float64)
        shift = np.array(self.where, np.float64) - linear @ np.array(pivot, np.float64)
        return np.column_stack([linear, shift])


def _head(look: Look, unit: float, mouth: int, blink: int, face: str) -> Canvas:
    """The head with its face, hung by the neck; it looks a little to the right."""
    c = Canvas(1.5, 1.95, unit, (0.75, 1.65))
    top = -1.14
    jaw = 0.3 if look.woman else 0.345
    turn = 0.055
    lines = mix(darker(look.hair, 0.3), (60, 30, 30), 0.3)
    c.fill(ellipse(-0.4, top + 0.62, 0.07, 0.11), look.skin, shade=0.25)
    c.fill(ellipse(0.4, top + 0.62, 0.05, 0.1), darker(look.skin, 0.1))
    half = [(-0.41, 0.42), (-0.4, 0.62), (-jaw, 0.86), (-0.14, 1.04), (0.03, 1.09)]
    right = [(0.19, 1.04), (jaw + 0.02, 0.86), (0.4, 0.62), (0.41, 0.42), (0.3, 0.16), (0.0, 0.06), (-0.3, 0.16)]
    skull = smooth([(x, top + y) for x, y in half + right])
    c.fill(skull, lighter(look.skin, 0.06), to=look.skin, shade=0.1)
    for x in (-0.23, 0.25):
        warm = 0.5 if face == "happy" or look.woman else 0.25
        c.fill(ellipse(x, top + 0.8, 0.085, 0.05), mix(look.skin, (240, 90, 90), 0.55), alpha=warm, soft=0.03)
    for side in (-1, 1):
        _eye(c, look, (side * 0.185 + turn, top + 0.63), side, blink, face, lines)
    c.stroke(smooth([(turn * 2.2, top + 0.72), (turn * 2.9, top + 0.79), (turn * 2.0, top + 0.81)], closed=False),
             mix(look.skin, (150, 80, 60), 0.5), 0.016, taper=True)  # fmt: skip
    _mouth(c, look, (turn * 1.1, top + 0.925), mouth, face)
    if look.old:
        for side in (-1, 1):
            wrinkle = [
                (side * 0.15 + turn, top + 0.82),
                (side * 0.2 + turn, top + 0.9),
                (side * 0.2 + turn, top + 0.95),
            ]
            c.stroke(smooth(wrinkle, closed=False), mix(look.skin, (150, 80, 60), 0.4), 0.012, taper=True)
    if look.glasses:
        for side in (-1, 1):
            rim = ellipse(side * 0.19 + turn, top + 0.64, 0.13, 0.115)
            c.stroke([*rim, rim[0]], (40, 40, 48), 0.018)
        c.stroke([(-0.06 + turn, top + 0.63), (0.06 + turn, top + 0.63)], (40, 40, 48), 0.018)
    _fringe(c, look, top)
    return c


def _eye(c: Canvas, look: Look, at: Point, side: int, blink: int, face: str, lines: Colour) -> None:
    x, y = at
    wide = 1.25 if face == "surprised" else 0.85 if face == "happy" else 1.0
    rx, ry = 0.088, 0.078 * wide * (0.55 if blink == 1 else 1.0)
    if blink == 2:
        dip = 0.03 if face != "happy" else -0.04
        lid = [(x - rx, y), (x, y + dip), (x + rx, y)]
        c.stroke(smooth(lid, closed=False), lines, 0.028, taper=True)
    else:
        c.fill(ellipse(x, y, rx, ry), (252, 252, 252), to=(236, 240, 246))
        r = 0.056
        look_at = x + 0.012
        c.fill(ellipse(look_at, y + 0.004, r, min(r * 1.12, ry)), darker(look.iris, 0.25), to=lighter(look.iris, 0.35))
        c.fill(ellipse(look_at, y + 0.004, r * 0.5, min(r * 0.58, ry)), (20, 14, 16))
        c.fill(ellipse(look_at - 0.02, y - ry * 0.35, 0.019, 0.02), (255, 255, 255))
        c.fill(ellipse(look_at + 0.022, y + ry * 0.35, 0.009, 0.01), (255, 255, 255), alpha=0.8)
        upper = [
            (x - rx * 1.08, y - ry * 0.1),
            (x - rx * 0.5, y - ry * 0.9),
            (x + rx * 0.5, y - ry * 0.95),
            (x + rx * 1.1, y),
        ]
        c.stroke(smooth(upper, closed=False), lines, 0.036 if look.woman else 0.028, taper=True)
        if look.woman:
            c.stroke([(x + side * rx, y - ry * 0.3), (x + side * (rx + 0.05), y - ry * 0.75)], lines, 0.016, taper=True)
        if face == "sad":
            c.fill(ellipse(x - 0.02, y + ry + 0.05, 0.018, 0.032), (190, 226, 250), alpha=0.85)
    brow = y - 0.17 - (0.035 if face == "surprised" else 0.0)
    slant = {"angry": 0.06, "sad": -0.05}.get(face, 0.014) * side
    arch = 0.02 if face in ("happy", "surprised") else 0.008
    inner, outer = x - side * 0.085, x + side * 0.1
    path = [(inner, brow + abs(slant) * (1 if slant * side > 0 else -1)), (x, brow - arch), (outer, brow + 0.012)]
    c.stroke(smooth(path, closed=False), lines, 0.024 if look.woman else 0.036, taper=True)


def _mouth(c: Canvas, look: Look, at: Point, mouth: int, face: str) -> None:
    x, y = at
    lip = mix(look.skin, (200, 60, 70), 0.62 if look.woman else 0.36)
    if mouth == 0:
        bend = {"happy": 0.045, "sad": -0.03, "angry": -0.022}.get(face, 0.012)
        wide = 0.105 if face == "happy" else 0.075
        path = smooth([(x - wide, y - bend * 0.6), (x, y + bend * 0.6), (x + wide, y - bend * 0.6)], closed=False)
        c.stroke(path, lip, 0.03 if look.woman else 0.024, taper=True)
        return
    rx, ry = ((0, 0), (0.07, 0.028), (0.1, 0.045), (0.05, 0.055), (0.09, 0.08))[mouth]
    c.fill(ellipse(x, y, rx + 0.016, ry + 0.016), lip)
    c.fill(ellipse(x, y, rx, ry), (96, 30, 38))
    if mouth in (2, 4):
        c.fill(box(x - rx * 0.66, y - ry * 0.9, rx * 1.32, ry * 0.45, 0.01), (250, 250, 248))
    c.fill(ellipse(x, y + ry * 0.5, rx * 0.55, ry * 0.38), (206, 92, 98))


def _fringe(c: Canvas, look: Look, top: float) -> None:
    """The hair in front of the forehead, and the cap of hair above it."""
    shine = lighter(look.hair, 0.22)
    if look.haircut == "spiky":
        tips = [(-0.46, 0.5), (-0.5, 0.2), (-0.4, 0.02), (-0.3, -0.12), (-0.12, -0.06), (0.02, -0.2), (0.16, -0.06),
                (0.34, -0.12), (0.4, 0.06), (0.5, 0.22), (0.44, 0.5), (0.37, 0.36), (0.3, 0.42), (0.2, 0.28),
                (0.08, 0.42), (-0.04, 0.28), (-0.16, 0.42), (-0.26, 0.3), (-0.36, 0.46)]  # fmt: skip
        c.fill([(x, top + y) for x, y in tips], shine, to=look.hair, shade=0.2)
        return
    if look.haircut == "short":
        cap = [(-0.45, 0.56), (-0.48, 0.24), (-0.34, -0.02), (0.0, -0.1), (0.34, -0.02), (0.48, 0.24), (0.44, 0.56),
               (0.385, 0.42), (0.3, 0.3), (0.1, 0.33), (-0.12, 0.26), (-0.3, 0.36), (-0.38, 0.44)]  # fmt: skip
        c.fill(smooth([(x, top + y) for x, y in cap], steps=6), shine, to=look.hair, shade=0.2)
        return
    drop = 1.0 if look.haircut in ("long", "bob") else 0.62
    cap = [(-0.47, drop), (-0.51, 0.5), (-0.46, 0.16), (-0.3, -0.04), (0.0, -0.11), (0.3, -0.04), (0.46, 0.16),
           (0.51, 0.5), (0.47, drop), (0.41, 0.62), (0.37, 0.4), (0.22, 0.24), (0.05, 0.14), (-0.12, 0.3),
           (-0.27, 0.38), (-0.37, 0.44), (-0.4, 0.62)]  # fmt: skip
    c.fill(smooth([(x, top + y) for x, y in cap], steps=6), shine, to=look.hair, shade=0.2)
    arc = smooth([(-0.33, top + 0.16), (-0.1, top + 0.04), (0.2, top + 0.06)], closed=False)
    c.stroke(arc, lighter(look.hair, 0.45), 0.035, alpha=0.5, taper=True)
    if look.haircut == "bun":
        c.fill(ellipse(0.0, top - 0.2, 0.2, 0.17), shine, to=look.hair, shade=0.2)


def _hair_back(look: Look, unit: float, _mouth: int, _blink: int, _face: str) -> Canvas:
    c = Canvas(1.8, 2.9, unit, (0.9, 1.45))
    top = -1.14
    back = darker(look.hair, 0.18)
    if look.haircut == "long":
        shape = [
            (-0.48, 0.3),
            (-0.58, 1.0),
            (-0.6, 1.7),
            (-0.42, 2.05),
            (0.42, 2.05),
            (0.6, 1.7),
            (0.58, 1.0),
            (0.48, 0.3),
        ]
        c.fill(smooth([(x, top + y) for x, y in shape]), back, to=darker(back, 0.15))
    elif look.haircut == "bob":
        shape = [(-0.47, 0.3), (-0.57, 0.8), (-0.5, 1.2), (0.5, 1.2), (0.57, 0.8), (0.47, 0.3)]
        c.fill(smooth([(x, top + y) for x, y in shape]), back)
    elif look.haircut == "ponytail":
        tail = [(-0.36, 0.2), (-0.62, 0.3), (-0.78, 0.8), (-0.7, 1.5), (-0.56, 1.6), (-0.5, 0.9), (-0.3, 0.5)]
        c.fill(smooth([(x, top + y) for x, y in tail]), look.hair, to=back, shade=0.2)
    c.fill(ellipse(0, top + 0.5, 0.44, 0.5), back)
    return c


def _torso(look: Look, unit: float, _mouth: int, _blink: int, _face: str) -> Canvas:
    c = Canvas(2.2, 2.9, unit, (1.1, 4.95))
    cloth = look.colour
    c.fill([(-0.16, NECK_Y - 0.2), (0.16, NECK_Y - 0.2), (0.19, SHOULDER_Y + 0.12), (-0.19, SHOULDER_Y + 0.12)],
           darker(look.skin, 0.12), to=darker(look.skin, 0.04))  # fmt: skip
    sh = 0.6 if look.woman else 0.74
    waist, hips = (0.43, 0.54) if look.woman else (0.54, 0.55)
    bottom = HIP_Y + (0.34 if look.garment in ("coat", "hoodie") else 0.12)
    outline = [(-0.2, SHOULDER_Y - 0.06), (-sh + 0.16, SHOULDER_Y + 0.03), (-sh, SHOULDER_Y + 0.24),
               (-sh + 0.06, SHOULDER_Y + 0.7),
               (-waist, HIP_Y - 0.5), (-hips, bottom), (hips, bottom), (waist, HIP_Y - 0.5),
               (sh - 0.06, SHOULDER_Y + 0.7), (sh, SHOULDER_Y + 0.24), (sh - 0.16, SHOULDER_Y + 0.03),
               (0.2, SHOULDER_Y - 0.06)]  # fmt: skip
    c.fill(smooth(outline, steps=6), lighter(cloth, 0.08), to=darker(cloth, 0.1), shade=0.22)
    y = SHOULDER_Y
    match look.garment:
        case "suit":
            c.fill([(-0.2, y - 0.1), (0.2, y - 0.1), (0.03, y + 0.86), (-0.03, y + 0.86)], (246, 246, 248))
            c.fill([(-0.05, y + 0.02), (0.05, y + 0.02), (0.075, y + 0.62), (0, y + 0.76), (-0.075, y + 0.62)],
                   mix(cloth, (150, 30, 50), 0.75))  # fmt: skip
            for s in (-1, 1):
                lapel = [
                    (s * 0.2, y - 0.1),
                    (s * 0.34, y + 0.1),
                    (s * 0.25, y + 0.34),
                    (s * 0.02, y + 0.9),
                    (s * 0.16, y + 0.3),
                ]
                c.fill(lapel, darker(cloth, 0.22))
            c.stroke([(0, y + 0.9), (0, bottom)], darker(cloth, 0.35), 0.014)
        case "coat":
            c.fill(
                [(-0.2, y - 0.1), (0.2, y - 0.1), (0.14, bottom), (-0.14, bottom)], mix(cloth, (250, 246, 238), 0.82)
            )
            for s in (-1, 1):
                collar = [(s * 0.18, y - 0.16), (s * 0.4, y + 0.06), (s * 0.32, y + 0.42), (s * 0.12, y + 0.5)]
                c.fill(collar, lighter(cloth, 0.1), shade=0.25)
                c.stroke([(s * 0.14, y + 0.5), (s * 0.15, bottom)], darker(cloth, 0.3), 0.018)
        case "hoodie":
            c.fill(ellipse(0, y - 0.04, 0.34, 0.17), darker(cloth, 0.2))
            c.fill(ellipse(0, y - 0.1, 0.2, 0.12), darker(look.skin, 0.12))
            for s in (-1, 1):
                c.stroke([(s * 0.1, y + 0.08), (s * 0.12, y + 0.55)], lighter(cloth, 0.55), 0.025)
            pocket = [(-0.3, bottom - 0.1), (-0.24, bottom - 0.5), (0.24, bottom - 0.5), (0.3, bottom - 0.1)]
            c.stroke(smooth(pocket, closed=False), darker(cloth, 0.2), 0.02)
        case "dress":
            neck = smooth(
                [(-0.3, y - 0.06), (-0.2, y + 0.22), (0, y + 0.32), (0.2, y + 0.22), (0.3, y - 0.06)], closed=False
            )
            c.fill([*neck], look.skin)
            c.stroke([(-waist, HIP_Y - 0.52), (waist, HIP_Y - 0.52)], darker(cloth, 0.3), 0.07)
        case _:
            for s in (-1, 1):
                c.fill(
                    [(0, y + 0.18), (s * 0.2, y - 0.12), (s * 0.3, y + 0.06), (s * 0.12, y + 0.24)],
                    lighter(cloth, 0.35),
                )
            c.stroke([(0, y + 0.2), (0, bottom)], darker(cloth, 0.2), 0.016)
            for k in range(4):
                c.fill(ellipse(0, y + 0.4 + 0.36 * k, 0.024, 0.024), lighter(cloth, 0.5))
    return c


def _skirt(look: Look, unit: float, _mouth: int, _blink: int, _face: str) -> Canvas:
    c = Canvas(2.2, 2.0, unit, (1.1, 2.8))
    flare = [(-0.5, HIP_Y - 0.1), (0.5, HIP_Y - 0.1), (0.78, HIP_Y + 1.4), (0.4, HIP_Y + 1.5), (0, HIP_Y + 1.46),
             (-0.4, HIP_Y + 1.5), (-0.78, HIP_Y + 1.4)]  # fmt: skip
    c.fill(flare, darker(look.colour, 0.06), to=darker(look.colour, 0.2), shade=0.2)
    for x in (-0.35, 0.05, 0.4):
        c.stroke([(x * 0.7, HIP_Y + 0.2), (x * 1.4, HIP_Y + 1.4)], darker(look.colour, 0.28), 0.02, alpha=0.6)
    return c


def _upper_arm(look: Look, unit: float, _mouth: int, _blink: int, _face: str) -> Canvas:
    c = Canvas(0.7, 1.3, unit, (0.35, 0.22))
    w = 0.15 if look.woman else 0.19
    sleeve = smooth(
        [
            (-w, 0),
            (-w * 0.7, -0.13),
            (0, -0.19),
            (w * 0.7, -0.13),
            (w, 0),
            (w * 0.86, 0.84),
            (0, 0.96),
            (-w * 0.86, 0.84),
        ]
    )
    c.fill(sleeve, look.colour, to=darker(look.colour, 0.08), shade=0.3)
    return c


def _forearm(look: Look, unit: float, _mouth: int, _blink: int, _face: str) -> Canvas:
    c = Canvas(0.7, 1.5, unit, (0.35, 0.2))
    w = 0.125 if look.woman else 0.16
    bare = look.garment == "dress"
    hand = smooth([(-0.09, 0.78), (-0.1, 0.95), (-0.04, 1.1), (0.06, 1.1), (0.1, 0.96), (0.13, 0.86), (0.08, 0.78)])
    c.fill(hand, look.skin, shade=0.18)
    c.stroke([(0.0, 0.98), (0.01, 1.09)], darker(look.skin, 0.18), 0.012)
    arm = smooth([(-w, 0), (0, -0.12), (w, 0), (w * 0.75, 0.78), (0, 0.84), (-w * 0.75, 0.78)])
    sleeve = look.skin if bare else look.colour
    c.fill(arm, sleeve, to=darker(sleeve, 0.08), shade=0.3)
    if look.garment == "suit":
        c.fill(box(-w * 0.72, 0.74, w * 1.44, 0.08, 0.02), (244, 244, 246))
    return c


def _thigh(look: Look, unit: float, _mouth: int, _blink: int, _face: str) -> Canvas:
    c = Canvas(0.9, 1.7, unit, (0.45, 0.25))
    bare = look.garment == "dress"
    cloth = look.skin if bare else look.trousers
    w = 0.2 if bare else 0.25
    shape = smooth([(-w, -0.1), (0, -0.2), (w, -0.1), (w * 0.76, 1.2), (0, 1.3), (-w * 0.76, 1.2)])
    c.fill(shape, cloth, to=darker(cloth, 0.06), shade=0.1)
    return c


def _shin(look: Look, unit: float, _mouth: int, _blink: int, _face: str) -> Canvas:
    c = Canvas(0.9, 1.8, unit, (0.4, 0.2))
    bare = look.garment == "dress"
    cloth = look.skin if bare else look.trousers
    w = 0.13 if bare else 0.19
    shoe = smooth([(-0.13, 1.12), (0.1, 1.12), (0.33, 1.24), (0.33, 1.3), (-0.14, 1.3)], steps=5)
    c.fill(shoe, (60, 44, 44), to=(30, 24, 28))
    shape = smooth([(-w, 0), (0, -0.12), (w, 0), (w * 0.72, 1.14), (0, 1.2), (-w * 0.72, 1.14)])
    c.fill(shape, darker(cloth, 0.06), to=darker(cloth, 0.14), shade=0.1)
    return c


_PAINTERS = {
    "head": _head,
    "hair_back": _hair_back,
    "torso": _torso,
    "skirt": _skirt,
    "upper_arm": _upper_arm,
    "forearm": _forearm,
    "thigh": _thigh,
    "shin": _shin,
}
