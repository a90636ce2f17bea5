"""The words that came with a work: its subtitle tracks, the work itself where it is text, and its papers.

A cue whose times cannot be right is kept without a time and says so in its `source`; a file that cannot be read
as text is refused with one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av

from classifiers.classifier import Line
from provenance.asset import AssetKind, TimeRange
from provenance.media import Unusable, tags

TEXT_KINDS = frozenset({AssetKind.SCRIPT, AssetKind.STORYBOARD, AssetKind.BRANCH_MAP})
MOST_BYTES = 64 << 20
"""Largest text file that is read: a feature film's script is under 1 MB, so this leaves room for anything honest."""
MOST_LINES = 500_000
"""Lines kept of one work; a two-hour film has some 2,000 cues."""
MOST_TAGS = 3_000
"""Tags of one file: films seen have under thirty, a chapter every ten seconds of the longest film makes 2,160..."""
MOST_OF_A_TAG = 2_000
"""...and how many characters of each are read: a description is a few hundred, a generator's graph 100,000."""


def read_lines(path: Path, kind: AssetKind, papers: Mapping[str, Any] | None) -> tuple[Line, ...]:
    """Every line of text that came with the work at `path`, the papers' first.

    Raises provenance.media.Unusable where the work should be text and cannot be read as such, naming what to do.
    """
    lines = list(_of_papers(papers or {}))
    if kind in TEXT_KINDS:
        said = list(_of_file(path))
        if not said:
            raise Unusable(f"{path.name} holds no words: submit the script itself")
        lines += said
    else:
        lines += _of_tags(path)
        if kind not in {AssetKind.AUDIO, AssetKind.COVER, AssetKind.IMAGE, AssetKind.CHARACTER_SHEET}:
            lines += _of_tracks(path)
    if len(lines) > MOST_LINES:
        raise Unusable(f"{path.name} holds more than {MOST_LINES} lines of text: submit it in parts")
    return tuple(lines)


# ---------------------------------------------------------------- papers


_TEXTS = (
    ("series", "title"),
    ("series", "alt_titles"),
    ("series", "synopsis"),
    ("series", "genres"),
    ("episode", "title"),
    ("audience", "child_labels"),
)
"""Where the papers (episode.schema.json) hold words that are shown to the public."""


def _of_papers(papers: Mapping[str, Any]) -> Iterator[Line]:
    for group, name in _TEXTS:
        part = papers.get(group)
        value = part.get(name) if isinstance(part, Mapping) else None
        if isinstance(value, str) and value.strip():
            yield Line("metadata", value, None, f"papers:{group}.{name}")
        elif isinstance(value, list):
            for at, text in enumerate(value):
                if isinstance(text, str) and text.strip():
                    yield Line("metadata", text, None, f"papers:{group}.{name}[{at}]")


# ---------------------------------------------------------------- tags of a film or recording

_TECHNICAL = frozenset(
    {
        *("encoder", "major_brand", "minor_version", "compatible_brands", "creation_time", "language"),
        *("handler_name", "vendor_id", "duration"),
    }
)
"""Keys that programs fill in by themselves. Read all the same where the value is nothing a program writes."""
_BY_A_PROGRAM = re.compile(r"[\x20-\x7e]{0,100}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.:/ -]{1,64}")
_LABEL_KEY = "aigc"


def _of_tags(path: Path) -> Iterator[Line]:
    """What the file says of itself: players show titles and comments, and they go out with the work."""
    found = tags(path)
    if len(found) > MOST_TAGS:
        raise Unusable(f"{path.name} carries {len(found)} tags; at most {MOST_TAGS} are read: export it without them")
    for key, value in found:
        if key.lower() == _LABEL_KEY or (key.lower() in _TECHNICAL and _BY_A_PROGRAM.fullmatch(value)):
            continue
        plain = _PLAIN_KEY.fullmatch(key) is not None
        text = re.sub(r"\s+", " ", value if plain else f"{key} {value}").strip()[:MOST_OF_A_TAG]
        if text:
            yield Line("metadata", text, None, f"tag:{key if plain else 'unnamed'}")


# ---------------------------------------------------------------- subtitle tracks of a film


def _of_tracks(path: Path) -> Iterator[Line]:
    try:
        with av.open(f"file:{path.resolve()}", metadata_errors="replace") as container:
            if not container.streams.subtitles:
                return
            zero = _zero_us(container)
            for packet in container.demux(list(container.streams.subtitles)):
                if packet.pts is not None:
                    yield from _of_packet(packet, zero)
    except (av.error.FFmpegError, ValueError, UnicodeDecodeError) as wrong:
        reason = getattr(wrong, "strerror", None) or wrong
        raise Unusable(f"the subtitles of {path.name} cannot be read ({reason}): export the film again") from wrong


def _zero_us(container: Any) -> int:
    """When the first frame is shown, on the container's clock."""
    video = next(iter(container.streams.video), None)
    if video is None or video.start_time is None:
        return 0
    return int(video.start_time * video.time_base * 1_000_000)


def _of_packet(packet: Any, zero_us: int) -> Iterator[Line]:
    track = packet.stream.index
    tick = packet.time_base * 1_000_000
    start = int(packet.pts * tick // 1) - zero_us
    end = -int(-(packet.pts + (packet.duration or 0)) * tick // 1) - zero_us
    for text in _cue_texts(packet):
        yield _cue("subtitle", text, start, end, f"track:{track}")


def _cue_texts(packet: Any) -> Iterator[str]:
    """What one packet says; pictures of text (PGS, VobSub) say nothing here, the screen reader sees them burned in."""
    for part in packet.decode():
        ass = getattr(part, "ass", b"") or getattr(part, "text", b"")
        raw = ass.decode("utf-8", "replace") if isinstance(ass, bytes) else str(ass)
        # FFmpeg hands every text codec over as an ASS event: eight fields, then the text.
        fields = raw.split(",", 8)
        text = _without_ass(fields[8] if len(fields) == 9 else raw)
        if text:
            yield text


def _cue(surface: str, text: str, start_us: int, end_us: int, source: str) -> Line:
    """One cue; where its times cannot be right it has none, and its source says why."""
    if end_us <= max(0, start_us):
        why = "ends_before_the_film" if end_us <= 0 else "times_reversed"
        return Line(surface, text, None, f"{source}:{why}")
    return Line(surface, text, TimeRange(max(0, start_us), end_us), source)


# ---------------------------------------------------------------- works of text


def _of_file(path: Path) -> Iterator[Line]:
    text = decoded(path)
    suffix = path.suffix.lower()
    head = text.lstrip()[:2000]
    if suffix == ".vtt" or head.startswith("WEBVTT"):
        return _of_timed_blocks(text, "vtt")
    if suffix in {".ass", ".ssa"} or head.startswith("[Script Info]"):
        return _of_ass(text)
    if suffix == ".srt" or _SRT_HEAD.match(head):
        return _of_timed_blocks(text, "srt")
    if suffix == ".json" or (head[:1] in "{[" and _is_json(text)):
        return _of_json(path, text)
    return _of_script(text)


def decoded(path: Path) -> str:
    """The text of a file in UTF-8, UTF-16, GB18030 or Big5, told apart by its bytes.

    Raises Unusable for anything too large, not text, or in an encoding that cannot be told.
    """
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as wrong:
        raise Unusable(f"{path.name} cannot be read ({wrong.strerror}): check the path") from wrong
    if size > MOST_BYTES:
        raise Unusable(f"{path.name} is {size >> 20} MiB of text; at most {MOST_BYTES >> 20} MiB are read: split it")
    if not raw.strip():
        raise Unusable(f"{path.name} is empty: write the script into it")
    text = _decoded(raw)
    if text is None:
        raise Unusable(f"the encoding of {path.name} cannot be told: save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(raw: bytes) -> str | None:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32")):
        if raw.startswith(mark):
            return _strictly(raw, encoding)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _strictly(raw, "utf-16")
    text = _strictly(raw, "utf-8")
    if text is not None:
        # A NUL here and there is dirt that the text screen sees through; many are UTF-16 or no text at all.
        if text.count("\0") <= len(text) // 100:
            return text
        return _utf16_without_mark(raw)
    if b"\0" in raw:
        return _utf16_without_mark(raw)
    if _only_single_high_bytes(raw):
        return _strictly(raw, "cp1252")
    readings = [(_commonness(text), text) for e in ("gb18030", "big5hkscs") if (text := _strictly(raw, e)) is not None]
    best = max(readings, default=(0.0, ""), key=lambda r: r[0])
    return best[1] if best[0] >= COMMON_ENOUGH else None


def _strictly(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _utf16_without_mark(raw: bytes) -> str | None:
    readings = [_strictly(raw, e) for e in ("utf-16-le", "utf-16-be")]
    scored = [(_commonness(t), t) for t in readings if t is not None and "\0" not in t]
    best = max(scored, default=(0.0, ""), key=lambda r: r[0])
    return best[1] if best[0] >= COMMON_ENOUGH else None


_COMMON = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运"
    "這個們來為國說時會對著過發後裡樣開從實軍無與長機動學現當沒還進經麼間問關點業將兩應戰頭體見話產東聲處義條氣題門總電數報結務場計資許統區隊書則聽卻達強難權設記類據邊張該規萬覺術領確傳師觀讓識帶導爭運"
    " \n\t，。！？、：；“”（）《》…0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ".,!?:;-'\"()[]{}<>/→*#_="
)
COMMON_ENOUGH = 0.5
"""Share of characters that must be among the commonest Chinese ones, Latin letters or punctuation. Measured on the
Chinese comments of COLD: right encoding above 0.7, GB18030 taken for Big5 or the other way below 0.35."""


def _commonness(text: str) -> float:
    sample = [c for c in text[:20_000] if ord(c) > 0x7F] or list(text[:20_000])
    return sum(c in _COMMON for c in sample) / max(1, len(sample))


def _only_single_high_bytes(raw: bytes) -> bool:
    """Whether no two bytes above 0x7F stand together: accents and quotes of Windows-1252 do not, Chinese does."""
    return re.search(rb"[\x80-\xff]{2}", raw) is None


# ---------------------------------------------------------------- subtitle files

_SRT_HEAD = re.compile(r"\d{1,9}[ \t]*\n[ \t]*\d{1,3}:\d{2}:\d{2}[,.]\d{1,3} *-->")
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMES = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}")
_TAGS = re.compile(r"</?[a-zA-Z][^<>\n]{0,200}>|\{\\[^{}\n]{0,500}\}")


def _of_timed_blocks(text: str, name: str) -> Iterator[Line]:
    """SRT and WebVTT: a line of times, then the words until an empty line."""
    times: re.Match[str] | None = None
    at = 0
    words: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        found = _TIMES.match(line)
        if found is None and line.strip():
            words.append(line)
            continue
        if times is not None and found is not None and words and words[-1].strip().isdecimal():
            words.pop()  # the next cue's number, where no empty line parts the cues
        said = _TAGS.sub("", " ".join(w.strip() for w in words)).strip()
        if times is not None and said:
            yield _cue("subtitle", said, _time_us(times.groups()[:4]), _time_us(times.groups()[4:]), f"{name}:{at}")
        elif (
            said and not _names_a_cue(said, name, found) and not said.startswith(("WEBVTT", "NOTE", "STYLE", "REGION"))
        ):
            yield Line("subtitle", said, None, f"{name}:{number}:no_times")
        times, at, words = found, number, []


def _names_a_cue(said: str, name: str, times: re.Match[str] | None) -> bool:
    """Whether words right above a line of times only number the cue, or name it as WebVTT allows.

    Other words there are no SRT number: FFmpeg's players show them with the cue before.
    """
    return times is not None and (name == "vtt" or said.strip("\ufeff ").isdecimal())


def _time_us(parts: Iterable[str | None]) -> int:
    hours, minutes, seconds, fraction = parts
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    return whole * 1_000_000 + int((fraction or "0").ljust(3, "0")) * 1000


def _of_ass(text: str) -> Iterator[Line]:
    """Advanced SubStation Alpha: the Dialogue events, in the order of fields their Format line gives."""
    fields = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]
    for number, line in enumerate(text.split("\n"), 1):
        key, _, rest = line.partition(":")
        if key.strip().lower() == "format" and "text" in rest.lower():
            fields = [f.strip().lower() for f in rest.split(",")]
        if key.strip().lower() != "dialogue":
            continue
        event = dict(zip(fields, rest.split(",", len(fields) - 1), strict=False))
        said = _without_ass(event.get("text", ""))
        if not said:
            continue
        start, end = (re.fullmatch(_TIME, event.get(k, "").strip()) for k in ("start", "end"))
        if start is None or end is None:
            yield Line("subtitle", said, None, f"ass:{number}:no_times")
        else:
            yield _cue("subtitle", said, _ass_us(start), _ass_us(end), f"ass:{number}")


def _ass_us(match: re.Match[str]) -> int:
    hours, minutes, seconds, fraction = match.groups()
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1_000_000 + int(fraction.ljust(3, "0")) * 1000


def _without_ass(text: str) -> str:
    """The words of an ASS event, without drawing and styling."""
    if re.search(r"\\p[1-9]", text):
        return ""
    plain = re.sub(r"\{[^{}]{0,2000}\}", "", text)
    return re.sub(r"\s+", " ", re.sub(r"\\[Nnh]", " ", plain)).strip()


# ---------------------------------------------------------------- scripts


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


_NO_WORDS = frozenset({"id", "sha256", "kind", "type", "schema", "path", "file", "url", "version", "backend", "seed"})
"""Keys whose values name things instead of saying something."""


def _of_json(path: Path, text: str) -> Iterator[Line]:
    """Every string of a JSON script or storyboard, by where it stands."""
    try:
        doc = json.loads(text)
    except RecursionError:
        raise Unusable(f"{path.name} is nested too deeply: write the script flatter") from None
    except ValueError as wrong:
        raise Unusable(f"{path.name} is not JSON ({wrong}): mend it or name it .txt") from wrong
    waiting: list[tuple[str, Any]] = [("", doc)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, str) and value.strip():
            yield Line("script", value, None, f"script:{where or '.'}")
        elif isinstance(value, dict):
            parts = [(f"{where}.{k}" if where else k, v) for k, v in value.items() if k not in _NO_WORDS]
            waiting += reversed(parts)
        elif isinstance(value, list):
            waiting += reversed([(f"{where}[{n}]", v) for n, v in enumerate(value)])


_BONEYARD = re.compile(r"/\*.*?\*/", re.DOTALL)


def _of_script(text: str) -> Iterator[Line]:
    """Fountain and any plain text: paragraphs, joined where the writer broke a line only to fit the page.

    What Fountain cuts (the boneyard) is not part of the work; notes are, because generators read them.
    """
    kept = _BONEYARD.sub(lambda m: "\n" * m[0].count("\n"), text)
    start, words = 0, list[str]()
    for number, line in enumerate([*kept.split("\n"), ""], 1):
        plain = line.strip()
        if plain:
            if not words:
                start = number
            words.append(plain)
            if len(words) < 40 and not _is_cue(words):
                continue
        if words:
            yield Line("script", " ".join(words), None, f"script:{start}")
            words = []


def _is_cue(words: list[str]) -> bool:
    """Whether these are only a character's name: what is said is read apart from who says it."""
    only = words[0]
    return len(words) == 1 and only == only.upper() and only != only.lower() and len(only) <= 40
