"""The four films the screen is measured on: a minute each, 720x1280, 24 fps, drawn from a seed.

dialogue: two drawn people talk in shots of two to five seconds, with a subtitle for every line.
motion: balls, streaks and a shaking camera; everything moves all the time, a cut every second.
text: an animation full of small moving text, like a chat or a game.
landscape: hills and clouds that drift slowly; three long shots.

The drawing is the same everywhere with the same font; the encoder is x264 at crf 23 in one thread.
`made` records the SHA-256 of each file beside it, so that two results can be told to be of one film.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from provenance import label

Picture = NDArray[np.uint8]

WIDTH, HEIGHT, FPS, SECONDS = 720, 1280, 24, 60
FRAMES = FPS * SECONDS
LINES = (
    "你终于回来了", "我等了你整整三年", "这份合同必须签", "I never said that", "放开她!", "Meet me at the old bridge",
    "他才是真正的总裁", "明天就是婚礼", "You will regret this", "别让任何人知道", "爷爷的遗嘱在哪里", "这一切都是谎言",
    "我们回家吧", "The rain has stopped", "谁在门外?", "未完待续",
)  # fmt: skip


def made(folder: Path) -> dict[str, Path]:
    """The four films in `folder` by name, drawn where they are not there yet (about a minute each on one core)."""
    folder.mkdir(parents=True, exist_ok=True)
    films: dict[str, Path] = {}
    for name, frames in _FILMS.items():
        path = folder / f"{name}.mp4"
        if not path.exists():
            part = path.with_suffix(".part.mp4")
            _encode(part, frames())
            part.replace(path)
        films[name] = path
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in films.items()}
    (folder / "films.json").write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n", "utf-8")
    return films


def _encode(path: Path, frames: Iterator[Picture]) -> None:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        video = out.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"crf": "23", "preset": "medium", "x264-params": "threads=1"}
        for picture in frames:
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode())


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(label.find_font()), size)


def _noise(dice: np.random.Generator, picture: Picture, depth: int = 3) -> Picture:
    """The picture with grain, half as fine as its pixels."""
    grain = dice.integers(-depth, depth + 1, (HEIGHT // 2, WIDTH // 2, 1), dtype=np.int16)
    coarse = cv2.resize(grain, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)[:, :, None]
    return np.asarray(np.clip(picture.astype(np.int16) + coarse, 0, 255), np.uint8)


def _clouds(dice: np.random.Generator, height: int, width: int, low: int = 40, high: int = 220) -> Picture:
    """Soft coloured shapes of three sizes."""
    sum_of = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((5, 0.6), (17, 0.28), (61, 0.12)):
        coarse = dice.random((cells, max(2, cells * width // height), 3), np.float32)
        sum_of += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(low + (high - low) * sum_of, 0, 255).astype(np.uint8)


def _caption(picture: Image.Image, words: str, font: ImageFont.FreeTypeFont, y: int) -> None:
    draw = ImageDraw.Draw(picture)
    left, _, right, _ = draw.textbbox((0, 0), words, font=font)
    draw.text(((WIDTH - right + left) // 2, y), words, font=font, fill="white", stroke_width=3, stroke_fill="black")


def _person(draw: ImageDraw.ImageDraw, x: float, y: float, size: float, look: tuple[int, ...], mouth: float) -> None:
    """A drawn face and shoulders; `look` is skin, hair and cloth as nine numbers."""
    skin, hair, cloth = look[0:3], look[3:6], look[6:9]
    draw.ellipse((x - size * 1.1, y + size * 0.9, x + size * 1.1, y + size * 3), fill=cloth)
    draw.ellipse((x - size * 0.78, y - size * 1.12, x + size * 0.78, y + size * 0.6), fill=hair)
    draw.ellipse((x - size * 0.62, y - size * 0.9, x + size * 0.62, y + size * 0.95), fill=skin)
    for side in (-1, 1):
        eye = x + side * size * 0.26
        draw.ellipse((eye - size * 0.12, y - size * 0.24, eye + size * 0.12, y - size * 0.08), fill="white")
        draw.ellipse((eye - size * 0.06, y - size * 0.22, eye + size * 0.06, y - size * 0.1), fill=(30, 20, 20))
        brow = (eye - size * 0.16, y - size * 0.36, eye + size * 0.16, y - size * 0.34)
        draw.line(brow, fill=hair, width=max(2, int(size / 18)))
    draw.line((x, y - size * 0.05, x - size * 0.06, y + size * 0.22), fill=(150, 100, 90), width=max(2, int(size / 30)))
    lips = (x - size * 0.2, y + size * (0.46 - 0.1 * mouth), x + size * 0.2, y + size * (0.5 + 0.12 * mouth))
    draw.ellipse(lips, fill=(150, 50, 60))


def _dialogue() -> Iterator[Picture]:
    dice = np.random.default_rng(101)
    font = _font(44)
    people = ((232, 196, 170, 40, 28, 24, 60, 70, 120), (244, 212, 190, 96, 52, 30, 170, 60, 70))
    left = FRAMES
    for number in count():
        length = min(left, int(dice.integers(2 * FPS, 5 * FPS)))
        left -= length
        room = _clouds(dice, HEIGHT + 80, WIDTH + 80)
        who, close = people[number % 2], float(dice.uniform(150, 250))
        words = LINES[number % len(LINES)]
        for n in range(length):
            a = n / max(1, length - 1)
            back = room[int(80 * a) : int(80 * a) + HEIGHT, int(40 * a) : int(40 * a) + WIDTH]
            picture = Image.fromarray(_noise(dice, back))
            sway = 14 * float(np.sin(n / 9))
            talk = abs(float(np.sin(n * 0.9))) if n < length * 0.8 else 0.0
            _person(ImageDraw.Draw(picture), WIDTH / 2 + sway, 520 + sway / 3, close * (1 + 0.05 * a), who, talk)
            _caption(picture, words, font, 1080)
            yield np.asarray(picture)
        if left == 0:
            return


def _motion() -> Iterator[Picture]:
    dice = np.random.default_rng(202)
    for _ in range(SECONDS):
        back = _clouds(dice, HEIGHT * 2, WIDTH * 2)
        balls = dice.uniform(0, 1, (24, 7))
        shake = dice.normal(0, 12, (FPS, 2))
        pan = dice.uniform(-18, 18, 2)
        for n in range(FPS):
            y, x = (np.array([HEIGHT / 2, WIDTH / 2]) + pan * (n - FPS / 2) + shake[n]).astype(int)
            picture = np.ascontiguousarray(back[y : y + HEIGHT, x : x + WIDTH])
            for bx, by, r, g, b, vx, vy in balls:
                at = (
                    int((bx + (vx - 0.5) * n / 10) % 1 * WIDTH),
                    int((by + (vy - 0.5) * n / 10) % 1 * HEIGHT),
                )
                cv2.circle(picture, at, 24 + int(60 * r), (int(255 * r), int(255 * g), int(255 * b)), -1, cv2.LINE_AA)
                tail = (at[0] - int((vx - 0.5) * 300), at[1] - int((vy - 0.5) * 300))
                cv2.line(picture, at, tail, (255, 255, 255), 3, cv2.LINE_AA)
            yield _noise(dice, picture)


def _text() -> Iterator[Picture]:
    dice = np.random.default_rng(303)
    fonts = [_font(size) for size in (22, 28, 36)]
    shots = 12
    for _ in range(shots):
        back = Image.fromarray(_clouds(dice, HEIGHT, WIDTH, 150, 250))
        wall = Image.new("RGBA", (WIDTH, HEIGHT * 2), (0, 0, 0, 0))
        draw = ImageDraw.Draw(wall)
        for row in range(56):
            words = LINES[int(dice.integers(len(LINES)))] + f" {int(dice.integers(10_000)):04d}"
            ink = tuple(int(v) for v in dice.integers(0, 110, 3))
            at = (int(dice.integers(10, 260)), row * 45)
            draw.rounded_rectangle((at[0] - 8, at[1] - 2, at[0] + 430, at[1] + 40), 12, fill=(255, 255, 255, 200))
            draw.text(at, words, font=fonts[row % 3], fill=(*ink, 255))
        for n in range(FRAMES // shots):
            picture = back.copy()
            up = min(HEIGHT, n * 8)
            scrolled = wall.crop((0, up, WIDTH, up + HEIGHT))
            picture.paste(scrolled, (0, 0), scrolled)
            draw = ImageDraw.Draw(picture)
            x = 120 + 90 * float(np.sin(n / 7))
            draw.ellipse((x, 900, x + 180, 1080), fill=(240, 150, 60), outline=(40, 20, 10), width=6)
            yield np.asarray(picture)


def _landscape() -> Iterator[Picture]:
    dice = np.random.default_rng(404)
    shots = 3
    for shot in range(shots):
        sky = _clouds(dice, HEIGHT, WIDTH * 2, 120, 240)
        hills = [
            (
                500 + 160 * k,
                dice.uniform(30, 90),
                dice.uniform(60, 200),
                tuple(int(v) for v in dice.integers(20, 150, 3)),
            )
            for k in range(4)
        ]
        for n in range(FRAMES // shots):
            a = n * 0.6
            left = int(a)
            picture = np.ascontiguousarray(sky[:, left : left + WIDTH])
            columns = np.arange(WIDTH)
            for depth, (base, swing, wave, colour) in enumerate(hills):
                line = base + swing * np.sin((columns + a * (depth + 1) + 400 * shot) / wave)
                outline = np.stack([columns, line.astype(int)], 1)
                floor = np.array([[WIDTH - 1, HEIGHT - 1], [0, HEIGHT - 1]])
                cv2.fillPoly(picture, [np.concatenate([outline, floor]).astype(np.int32)], colour, cv2.LINE_AA)
            yield _noise(dice, picture, 2)


_FILMS: dict[str, Callable[[], Iterator[Picture]]] = {
    "dialogue": _dialogue,
    "motion": _motion,
    "text": _text,
    "landscape": _landscape,
}
