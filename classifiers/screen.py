"""What is to be seen, heard and read in one work. Read this file first.

    decode once -> a cheap look at every frame -> shots -> the classifiers, each at its cadence -> findings

The film is decoded a single time. Every frame gets a cheap look (64x64 luma, colour, shot); the
frames that show something new go to the models (frames.py says exactly which). A classifier that
fails leaves a Gap and the others go on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2

from classifiers.classifier import Cadence, Classifier, Context, Film, Frame, Line
from classifiers.classifier import Look as Watcher
from classifiers.finding import Finding, Gap, Ran, Screening
from classifiers.frames import Look, Novelty, ScreenFrame
from classifiers.shots import Cuts
from classifiers.weights import WeightsMissing
from provenance import media
from provenance.asset import AssetKind, TimeRange

TEXT_KINDS = frozenset({AssetKind.SCRIPT, AssetKind.STORYBOARD, AssetKind.BRANCH_MAP})
"""Works of words: nothing is decoded, classifiers get their lines."""
SOUND_KINDS = frozenset({AssetKind.AUDIO})
PROGRESS_EVERY = 24
"""Frames between two calls of `progress`: about once a second of film."""

Progress = Callable[[int, int], None]


def screen(
    path: Path,
    kind: AssetKind,
    *,
    classifiers: Mapping[str, Classifier],
    context: Context,
    lines: Sequence[Line] = (),
    progress: Progress | None = None,
) -> Screening:
    """Everything `classifiers` have to say about the work at `path`, in one decode pass.

    `lines` are the texts that come with it (subtitles, script, papers). `progress` is told frames done
    and frames expected. Timings are CPU milliseconds of this process: `screen_cpu_ms` of the whole
    screening with its decoding, `decode_cpu_ms` of the decoding within it.

    Raises provenance.media.Unusable where the work cannot be decoded to its end.
    """
    cv2.setNumThreads(1)  # every thread that is not the decoder's is counted as ours
    wall, cpu = time.perf_counter(), time.process_time()
    looks_s = 0.0
    if kind in TEXT_KINDS:
        film = Film(path, kind, _text_duration_us(lines), 0, 0, 0, (), tuple(lines))
        desks = _Desks(classifiers, film, context)
    else:
        with media.decode(path) as decoding:
            _must_hold_what_it_claims(path, kind, decoding.info)
            info = decoding.info
            film = Film(path, kind, max(1, info.duration_us), info.width, info.height, 0, (), tuple(lines))
            desks = _Desks(classifiers, film, context)
            pass_ = _Pass(desks, progress, _expected_frames(info))
            for frame in decoding:
                pass_.take(frame)
            pass_.end()
            looks_s = pass_.spent_s
            film = replace(
                film,
                duration_us=max(1, decoding.duration_us or 0),
                frames_total=decoding.frames_total or 0,
                shots=tuple(pass_.shots),
            )
    findings = desks.finish(film)
    total = time.process_time() - cpu
    return Screening(
        duration_us=film.duration_us,
        findings=tuple(sorted(findings, key=lambda f: (f.where, f.category, f.id))),
        gaps=tuple(desks.gaps),
        ran=desks.ran(film),
        shots=film.shots,
        decode_cpu_ms=0 if kind in TEXT_KINDS else max(0, round((total - desks.spent_s - looks_s) * 1000)),
        screen_cpu_ms=round(total * 1000),
        wall_ms=round((time.perf_counter() - wall) * 1000),
    )


class _Pass:
    """Frames on their way from the decoder to the classifiers, held back until their shot is known."""

    def __init__(self, desks: _Desks, progress: Progress | None, expected: int) -> None:
        self._desks = desks
        self._progress = progress
        self._expected = expected
        self._cuts = Cuts()
        self._novelty = Novelty()
        self._waiting: deque[tuple[media.RawFrame, Look]] = deque()
        self._starts: list[int] = []
        self._end_us = 1
        self.spent_s = 0.0
        """CPU of the cheap looks, without the classifiers'."""

    def take(self, frame: media.RawFrame) -> None:
        """One decoded frame. It, or one before it, is shown to the classifiers."""
        began = time.thread_time()
        look = Look.of(frame)
        self._waiting.append((frame, look))
        starts = self._cuts.feed(look.luma, look.planes[1:])
        self.spent_s += time.thread_time() - began
        if starts is not None:
            self._show(starts=starts)
        if self._progress is not None and frame.index % PROGRESS_EVERY == 0:
            self._progress(frame.index, max(self._expected, frame.index))

    def end(self) -> None:
        """The frames still waiting."""
        for starts in self._cuts.flush():
            self._show(starts=starts)
        if self._progress is not None:
            self._progress(max(1, self._expected), max(1, self._expected))

    @property
    def shots(self) -> Iterator[TimeRange]:
        """From each shot's first frame to the next one's, the last to the end of the last frame."""
        for start_us, end_us in pairwise([*self._starts, self._end_us]):
            yield TimeRange(start_us, end_us)

    def _show(self, *, starts: bool) -> None:
        began = time.thread_time()
        raw, look = self._waiting.popleft()
        after = self._waiting[0][1] if self._waiting else None
        if starts:
            self._starts.append(raw.at_us)
        self._end_us = raw.until_us
        novel = self._novelty.wants(raw, look, after, starts_shot=starts)
        frame = ScreenFrame(raw, look, len(self._starts) - 1, starts_shot=starts)
        self.spent_s += time.thread_time() - began
        self._desks.show(frame, novel=novel)


class _Desk:
    """One classifier at work, with what it cost."""

    def __init__(self, name: str, classifier: Classifier) -> None:
        self.name = name
        self.classifier = classifier
        self.watcher: Watcher | None = None
        self.failed = False
        self.examined = 0
        self.spent_s = 0.0


class _Desks:
    """All classifiers that have anything to say about this kind of work."""

    def __init__(self, classifiers: Mapping[str, Classifier], film: Film, context: Context) -> None:
        self.gaps: list[Gap] = []
        self._desks = [_Desk(name, c) for name, c in classifiers.items() if film.kind in c.looks_at]
        for desk in self._desks:
            self._guarded(desk, 0, partial(self._open, desk, film, context))
        self._every = [d for d in self._desks if d.classifier.cadence is Cadence.EVERY]
        self._novel = [d for d in self._desks if d.classifier.cadence is not Cadence.NONE]

    @staticmethod
    def _open(desk: _Desk, film: Film, context: Context) -> None:
        desk.watcher = desk.classifier.open(film, context)

    def show(self, frame: Frame, *, novel: bool) -> None:
        """Give `frame` to the classifiers whose cadence it meets."""
        for desk in self._novel if novel else self._every:
            if desk.watcher is not None and not desk.failed:
                desk.examined += self._guarded(desk, frame.at_us, partial(desk.watcher.see, frame))

    def finish(self, film: Film) -> list[Finding]:
        """Everything found. A classifier that failed midway still says what it had found until then."""
        findings: list[Finding] = []
        for desk in self._desks:
            if desk.watcher is not None:
                said = partial(_say, desk, desk.watcher, film, findings)
                self._guarded(desk, film.duration_us, said)
        return findings

    def ran(self, film: Film) -> tuple[Ran, ...]:
        """Who looked, at how much, for how long; those with a Gap are not among them."""
        return tuple(
            Ran(d.name, d.classifier.version, d.examined, film.frames_total, round(d.spent_s * 1000))
            for d in self._desks
            if not d.failed
        )

    @property
    def spent_s(self) -> float:
        """CPU seconds of all classifiers together."""
        return sum(desk.spent_s for desk in self._desks)

    def _guarded(self, desk: _Desk, at_us: int, work: Callable[[], object]) -> bool:
        """Run one step of one classifier. Whatever it raises becomes its Gap; the only broad catch there is."""
        began = time.thread_time()
        try:
            work()
        except WeightsMissing as missing:
            self._leave(Gap(desk.name, missing.reason, missing.remedy), desk)
        except Exception as error:  # noqa: BLE001 - one classifier's bug must not hide what the others see
            reason = f"it failed at {at_us / 1e6:.2f} s: {type(error).__name__}: {error}"
            self._leave(Gap(desk.name, reason, "report this with the file; until then a person must look"), desk)
        else:
            return True
        finally:
            desk.spent_s += time.thread_time() - began
        return False

    def _leave(self, gap: Gap, desk: _Desk) -> None:
        if not desk.failed:
            self.gaps.append(gap)
        desk.failed = True


def _say(desk: _Desk, watcher: Watcher, film: Film, findings: list[Finding]) -> None:
    """Add what one classifier found, each of a category it announced and inside the film."""
    for finding in watcher.finish(film):
        if finding.category not in desk.classifier.emits:
            raise ValueError(f"it reports {finding.category}, which it does not announce")
        end_us = min(finding.where.end_us, film.duration_us)
        inside = TimeRange(min(finding.where.start_us, end_us - 1), end_us)
        findings.append(finding if inside == finding.where else replace(finding, where=inside))


def _must_hold_what_it_claims(path: Path, kind: AssetKind, info: media.MediaInfo) -> None:
    if info.width == 0 and kind not in SOUND_KINDS:
        raise media.Unusable(
            f"{path.name} holds sound but no picture: submit it as audio, or export it again with its pictures"
        )
    if info.audio_codec is None and kind in SOUND_KINDS:
        raise media.Unusable(f"{path.name} holds no sound: submit it as what it is, or export it again with its sound")


def _expected_frames(info: media.MediaInfo) -> int:
    return 1 if info.still else max(1, round(info.duration_us / 1e6 * info.fps))


def _text_duration_us(lines: Sequence[Line]) -> int:
    return max((line.where.end_us for line in lines if line.where is not None), default=1)
