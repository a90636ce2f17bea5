"""What an episode sounds like: voices formed from syllables, and music made of plucked and bowed tones.

Everything is float32 in [-1, 1] at 48 kHz.
"""

from __future__ import annotations

import math
import random
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generation import speech
from generation.paint import Floats
from generation.storyboard import FPS, Board, Speech

RATE = 48_000
FORMANTS: tuple[tuple[float, float, float], ...] = (
    (800, 1250, 2600),
    (530, 1850, 2500),
    (300, 2300, 3000),
    (480, 880, 2500),
    (330, 750, 2400),
)
"""First three formants in Hz of a, e, i, o, u for a man. Source: Peterson and Barney 1952, rounded."""
TONES = ((1.12, 1.12), (0.92, 1.22), (0.86, 0.94), (1.25, 0.82))
"""Pitch at the beginning and end of a syllable over the speaker's own, for the four tones of Mandarin."""
MINOR = (0, 3, 5, 7, 10)
MAJOR = (0, 2, 4, 7, 9)
"""Pentatonic scales in semitones."""
DARK_MOODS = ("dark", "tense", "sad", "悬疑", "悲")


def voices(board: Board, pitches: dict[str, float]) -> Floats:
    """Every line of the episode, each speaker at the pitch given in Hz; mono, as long as the episode."""
    out = np.zeros(_samples(board), np.float32)
    for shot in board.shots:
        for said in shot.speeches:
            start = (shot.start_frame + said.start_frame) * RATE // FPS
            line = _line(said, pitches[said.who], f"{board.seed}/{shot.number}/{said.start_frame}")
            part = out[start : start + len(line)]
            part += line[: len(part)]
    return np.clip(out, -1, 1)


def music(board: Board) -> Floats:
    """The score: chords under a plucked melody, in stereo, float32[samples, 2]; it pauses for clips."""
    rng = random.Random(board.seed)  # noqa: S311 a tune, not a secret
    dark = any(word in board.mood.lower() for word in DARK_MOODS)
    scale, root = (MINOR if dark else MAJOR), rng.choice((196.0, 220.0, 246.94))
    beat = 60 / rng.uniform(66, 84)
    n = _samples(board)
    out = np.zeros((n + 4 * RATE, 2), np.float32)
    roots = [rng.choice(((0, -3, 5, 7), (0, 5, -3, 7), (0, 7, -3, 5)))[i % 4] for i in range(64)]
    t, bar, step = 0.0, 0, 2
    while t * RATE < n:
        chord = roots[bar % len(roots)]
        for k, third in enumerate((0, 3 if dark or chord == -3 else 4, 7)):
            hz = root / 2 * 2 ** ((chord + third) / 12)
            _add(out, t, _bowed(hz, beat * 4.4), 0.05, 0.35 + 0.15 * k)
        _add(out, t, _plucked(root / 4 * 2 ** (chord / 12), 2.2), 0.2, 0.5)
        for k in range(8):
            if rng.random() < (0.72 if k % 2 == 0 else 0.36):
                step = min(9, max(0, step + rng.choice((-2, -1, -1, 0, 1, 1, 2))))
                hz = root * 2 ** ((scale[step % 5] + 12 * (step // 5)) / 12)
                _add(out, t + k * beat / 2, _plucked(hz, 1.6), 0.13 * rng.uniform(0.7, 1.0), rng.uniform(0.25, 0.75))
        t += beat * 4
        bar += 1
    out = _roomy(out, rng)[:n]
    out *= _envelope(board, n)[:, None]
    peak = float(np.abs(out).max()) or 1.0
    return (out * min(1.0, 0.5 / peak)).astype(np.float32)


def mix(voice: Floats, score: Floats, inserted: Floats) -> Floats:
    """Voices over music that makes room for them, with the sound of inserted clips; stereo."""
    block = RATE // 50
    loud = np.sqrt(np.convolve(voice**2, np.ones(block, np.float32) / block, "same"))
    duck = 1 - 0.62 * np.clip(_followed(loud / 0.08), 0, 1)
    out = 0.92 * voice[:, None] + score * duck[:, None] + inserted
    return np.asarray(np.tanh(1.1 * out) * 0.9, np.float32)


def write_wav(path: Path, sound: Floats) -> None:
    """Write `sound`, mono or stereo, as 16-bit PCM."""
    whole = np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1 if sound.ndim == 1 else sound.shape[1])
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(whole.tobytes())


def read_wav(path: Path) -> Floats:
    """What `write_wav` wrote."""
    with wave.open(str(path), "rb") as file:
        whole = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32767)
        return whole if file.getnchannels() == 1 else whole.reshape(-1, file.getnchannels())


def _samples(board: Board) -> int:
    return board.frames * RATE // FPS


def _line(said: Speech, pitch: float, seed: str) -> Floats:
    """One line: voiced harmonics shaped by moving formants, with hissed and stopped onsets."""
    units = speech.syllables(said.text)
    length = speech.length_us(said.text) * RATE // 1_000_000 + RATE // 10
    rng = np.random.default_rng(int.from_bytes(seed.encode()[:16], "little"))
    f0 = np.full(length, pitch, np.float64)
    level = np.zeros(length, np.float64)
    shape = np.zeros((3, length), np.float64)
    shape[:] = np.array(FORMANTS[1])[:, None]
    tract = 1.17 if pitch > 170 else 1.0  # women's vocal tracts are about a sixth shorter
    noise = np.zeros(length, np.float64)
    for i, s in enumerate(units):
        a, b = s.start_us * RATE // 1_000_000, (s.start_us + s.length_us) * RATE // 1_000_000
        t = np.linspace(0, 1, b - a)
        first, last = TONES[s.tone - 1]
        dip = -0.18 * np.sin(np.pi * t) if s.tone == 3 else 0.0
        fall = 1.06 - 0.16 * i / max(1, len(units))
        f0[a:b] = pitch * fall * (first + (last - first) * t + dip)
        level[a:b] = np.minimum(1, np.minimum(t * 9, (1 - t) * 5)) * (0.72 + 0.28 * speech.OPENNESS[s.vowel])
        shape[:, a:b] = (np.array(FORMANTS[s.vowel]) * tract)[:, None]
        if s.onset in (1, 2):
            burst = min(b - a, int((0.05 if s.onset == 1 else 0.018) * RATE))
            noise[a : a + burst] += rng.standard_normal(burst) * np.hanning(burst) * (0.1 if s.onset == 1 else 0.16)
    f0 = np.asarray(_followed(f0, 0.012), np.float64)
    shape = np.stack([_followed(row, 0.02) for row in shape])
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.006 * np.sin(2 * np.pi * 5.4 * np.arange(length) / RATE))) / RATE
    out = np.zeros(length, np.float64)
    for k in range(1, int(4200 / pitch) + 1):
        out += np.sin(k * phase) * _resonance(k * f0, shape) / k**0.85
    hiss = np.diff(noise, prepend=0.0)
    return (0.34 * _followed(level, 0.006) * out / 1.6 + 0.5 * hiss).astype(np.float32)


def _resonance(hz: NDArray[np.float64], shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """How loud a harmonic is between three resonances."""
    gain = np.full(hz.shape, 0.012)
    for formant, width, share in zip(shape, (95.0, 120.0, 180.0), (1.0, 0.55, 0.28), strict=True):
        gain += share / (1 + ((hz - formant) / width) ** 2)
    return gain


def _followed(signal: NDArray[np.floating], seconds: float = 0.09) -> NDArray[np.floating]:
    """The signal smoothed over `seconds`."""
    size = max(1, int(seconds * RATE))
    padded = np.concatenate([np.full(size, signal[0]), signal, np.full(size, signal[-1])])
    total = np.cumsum(padded, dtype=np.float64)
    smooth = (total[size:] - total[:-size]) / size
    start = size - size // 2 - 1
    return smooth[start : start + len(signal)]


def _plucked(hz: float, seconds: float) -> Floats:
    t = np.arange(int(seconds * RATE)) / RATE
    out = np.zeros_like(t)
    for k in range(1, 9):
        if hz * k < 9000:
            out += np.sin(2 * np.pi * hz * k * (1 + 0.0004 * k * k) * t) * np.exp(-t * (2.2 + 1.5 * k)) / k**1.3
    return (out * np.minimum(1, t * 300)).astype(np.float32)


def _bowed(hz: float, seconds: float) -> Floats:
    t = np.arange(int(seconds * RATE)) / RATE
    swell = np.minimum(1, t / 0.9) * np.minimum(1, (seconds - t) / 1.1)
    out = sum(
        np.sin(2 * np.pi * hz * k * t + 0.6 * math.sin(k) + 0.5 * np.sin(2 * np.pi * 4.6 * t)) / k**1.6
        for k in range(1, 6)
    )
    return np.asarray(swell * out, np.float32)


def _add(out: Floats, at_s: float, tone: Floats, level: float, right: float) -> None:
    start = int(at_s * RATE)
    part = out[start : start + len(tone)]
    part[:, 0] += tone[: len(part)] * level * math.sqrt(1 - right)
    part[:, 1] += tone[: len(part)] * level * math.sqrt(right)


def _roomy(dry: Floats, rng: random.Random) -> Floats:
    """The sound in a room: convolved with a decaying noise, differently for each ear."""
    noise = np.random.default_rng(rng.randrange(1 << 30))
    tail = int(1.4 * RATE)
    size = 1 << (len(dry) + tail - 1).bit_length()
    wet = np.empty_like(dry)
    for ear in (0, 1):
        room = noise.standard_normal(tail) * np.exp(-np.arange(tail) / (0.32 * RATE))
        room = np.asarray(_followed(room, 0.0002), np.float64) * 0.02
        wet[:, ear] = np.fft.irfft(np.fft.rfft(dry[:, ear], size) * np.fft.rfft(room, size), size)[: len(dry)]
    return (dry + 0.9 * wet).astype(np.float32)


def _envelope(board: Board, n: int) -> Floats:
    """Music comes in, goes out at the end, and is silent while a clip plays."""
    level = np.ones(n, np.float64)
    ramp = min(n, int(1.2 * RATE))
    level[:ramp] *= np.linspace(0.2, 1, ramp)
    level[-2 * ramp :] *= np.linspace(1, 0, len(level[-2 * ramp :]))
    for shot in board.shots:
        if shot.framing == "clip":
            level[shot.start_frame * RATE // FPS : (shot.start_frame + shot.frames) * RATE // FPS] = 0
    return _followed(level, 0.05).astype(np.float32)
