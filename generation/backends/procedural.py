"""Draws, films and voices an episode with arithmetic alone: no network, no model, no training data."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from generation import figures, film, lettering, sound, storyboard
from generation.backend import Backend, Production
from generation.figures import Figure, Look, Pose, look_of
from generation.paint import Bytes, Canvas, box, lay_over
from generation.script import Script
from generation.stage import Stage
from generation.storyboard import Board, Shot

PANEL = (216, 384)
"""Width and height of one storyboard panel."""
PANELS_ACROSS = 5


class _Procedural:
    name = "procedural"
    version = "1"
    source_type = "algorithmicMedia"
    """IPTC: made purely by an algorithm not based on any sampled training data."""

    def plan(self, script: Script) -> Board:
        return storyboard.plan(script)

    def sketch(self, production: Production, into: Path) -> None:
        stage = _stage(production)
        width, height = PANEL
        shots = production.board.shots
        rows = -(-len(shots) // PANELS_ACROSS)
        sheet = np.full((rows * (height + 96) + 24, PANELS_ACROSS * (width + 24) + 24, 3), 250, np.uint8)
        for i, shot in enumerate(shots):
            x, y = 24 + i % PANELS_ACROSS * (width + 24), 24 + i // PANELS_ACROSS * (height + 96)
            still = stage.still(shot) if shot.framing != "clip" else next(iter(_clip(shot)))
            sheet[y : y + height, x : x + width] = cv2.resize(still, (width, height), interpolation=cv2.INTER_AREA)
            said = shot.speeches[0].text if shot.speeches else shot.action or shot.caption or shot.framing
            head = f"{shot.number}  {shot.framing}  {shot.frames / storyboard.FPS:.1f} s"
            _write_under(sheet, head, production.font, 20, x, y + height + 6)
            _write_under(
                sheet, lettering.wrap(said, production.font, 20, width)[0], production.font, 20, x, y + height + 36
            )
        _save(sheet, into)

    def portray(self, production: Production, who: str, into: Path) -> None:
        """Full length, and four faces beside it."""
        look = _looks(production)[who]
        c = Canvas(1080, 960, 1)
        c.fill(box(0, 0, 1080, 960), (244, 241, 236), to=(222, 226, 232))
        sheet = c.opaque()
        Figure(look, 148).draw(sheet, (270, 900), 1, Pose())
        faces = Figure(look, 178)
        for i, (feeling, mouth) in enumerate((("neutral", 0), ("happy", 1), ("angry", 2), ("sad", 0))):
            x, y = 660 + i % 2 * 260, 130 + i // 2 * 410
            cell = np.ascontiguousarray(sheet[y - 100 : y + 270, x - 125 : x + 125])
            faces.draw(cell, (125, 262 - round(figures.NECK_Y * 178)), 1, Pose(feeling, mouth))
            sheet[y - 100 : y + 270, x - 125 : x + 125] = cell
        label = lettering.words(who, production.font, 44, colour=(40, 40, 48))
        lay_over(sheet, label, np.array([[1, 0, 40], [0, 1, 24]], np.float64))
        _save(sheet, into)

    def shoot(self, production: Production, shot: Shot, into: Path) -> None:
        if shot.framing == "clip":
            film.write_shot(into, _clip(shot), film.clip_sound(Path(shot.file), *shot.clip_us))
        else:
            film.write_shot(into, _stage(production).film(shot))

    def speak(self, production: Production, into: Path) -> None:
        pitches = {name: look.pitch_hz for name, look in _looks(production).items()}
        sound.write_wav(into, sound.voices(production.board, pitches))

    def score(self, production: Production, into: Path) -> None:
        sound.write_wav(into, sound.music(production.board))


def _looks(production: Production) -> dict[str, Look]:
    return {name: look_of(name, words) for name, words in production.script.cast}


@lru_cache(maxsize=1)
def _kept_stage(board: Board, looks: tuple[tuple[str, Look], ...], font: Path) -> Stage:
    return Stage(board, dict(looks), font)


def _stage(production: Production) -> Stage:
    """The stage of this episode; the last one is kept, with what has been painted for it."""
    return _kept_stage(production.board, tuple(_looks(production).items()), production.font)


def _clip(shot: Shot) -> film.Frames:
    return film.clip_frames(Path(shot.file), *shot.clip_us)


def _write_under(sheet: Bytes, text: str, font: Path, size: int, x: int, y: int) -> None:
    ink = lettering.words(text, font, size, colour=(50, 50, 58))
    lay_over(sheet, ink, np.array([[1, 0, x], [0, 1, y]], np.float64))


def _save(picture: Bytes, into: Path) -> None:
    Image.fromarray(picture).save(into, "PNG", compress_level=6)


backend: Backend = _Procedural()
