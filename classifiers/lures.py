"""Ways off the platform written into a text: numbers to call or add, links, codes to scan, prices.

Works on normalised text (`classifiers/normalise_text.py`). Every pattern has bounded repeats only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

CATEGORIES = frozenset({"lure.contact", "lure.url", "lure.qr", "lure.price"})


@dataclass(frozen=True, slots=True)
class Lure:
    """One way off the platform; `start` and `end` are half-open positions in the normalised text."""

    category: str
    name: str
    score: float
    tier: str
    start: int
    end: int


def find(text: str) -> Iterator[Lure]:
    """Every lure in `text`, which is normalised."""
    taken: list[tuple[int, int]] = []
    for lure in _links(text):
        taken.append((lure.start, lure.end))
        yield lure
    yield from _account_names(text)
    yield from _numbers(text, taken)
    yield from _codes_and_prices(text)


# ---------------------------------------------------------------- links

_TLDS = (
    "com|cn|net|org|top|xyz|vip|cc|io|me|tv|info|club|shop|site|online|app|link|live|ru|co|icu|fun|pro|ltd|hk|tw|ly|gg"
)
_URL = re.compile(
    rf"https?://[^\s\u3000-\u9fff<>\"'，。]{{2,2000}}"
    rf"|(?<![a-z0-9@._-])(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,5}}(?:{_TLDS})(?![a-z0-9-])(?:/[^\s\u3000-\u9fff<>\"'，。]{{0,500}})?"
)
_IPV4 = re.compile(
    r"(?<![0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?![0-9.]?[0-9])"
)
_MAIL = re.compile(r"(?<![a-z0-9._%+-])[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24}(?![a-z0-9])")


def _links(text: str) -> Iterator[Lure]:
    if "." not in text and "://" not in text:
        return
    for match in _MAIL.finditer(text):
        yield Lure("lure.contact", "mail", 0.9, "suspect", *match.span())
    for match in _URL.finditer(text):
        yield Lure("lure.url", "url", 0.9, "suspect", match.start(), match.end())
    for match in _IPV4.finditer(text):
        yield Lure("lure.url", "ipv4", 0.7, "suspect", *match.span())


# ---------------------------------------------------------------- accounts and numbers

_CUE = (
    r"微信|薇信|威信|徽信|维信|v信|vx|wx|wechat|weixin|加v|加微|加薇|➕v|\+v|扣扣|qq|企鹅|whatsapp|telegram|电报|飞机号|纸飞机|"
    r"抖音号|快手号|小红书号|公众号|line ?id|ins号|手机|电话|热线|联系方式|联系我|call me at|text me at|dm me"
)
_ACCOUNT = re.compile(
    rf"(?:{_CUE})[^a-z0-9\u3400-\u9fff]{{0,4}}(?:号码|号|是|id|群)?[^a-z0-9\u3400-\u9fff]{{0,4}}([a-z][a-z0-9_-]{{4,24}})(?![a-z0-9_-])"
)
_CUES = re.compile(_CUE)
_NOT_NAMES = frozenset(
    {"group", "message", "messages", "account", "number", "chat", "video", "phone", "please", "today", "again", "later"}
)


def _account_names(text: str) -> Iterator[Lure]:
    for match in _ACCOUNT.finditer(text):
        name = match[1]
        # An account name holds a digit, an underscore, or stands after Chinese words; "call me at home" holds none.
        if name in _NOT_NAMES or (not re.search(r"[0-9_-]", name) and not re.search(r"[\u3400-\u9fff]", match[0])):
            continue
        yield Lure("lure.contact", "account", 0.95, "block", *match.span(1))


_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_AFTER_NUMBER = re.compile(
    r"\s?(?:元|块|年|号令|号文|号|%|％|人|万|亿|股|字|次|km|米|公里|度|美元|dollars|yuan|票|点|分)"
)


def _numbers(text: str, taken: list[tuple[int, int]]) -> Iterator[Lure]:
    """Runs of seven digits and more, in whatever style each digit is written."""
    for start, end, digits, styles in _digit_runs(text):
        if not 7 <= len(digits) <= 13 or any(a < end and start < b for a, b in taken):
            continue
        if text.count(".", start, end) == 1:  # a decimal fraction
            continue
        if start and (text[start - 1] in "¥￥$€£№#第" or ("a" <= text[start - 1] <= "z")):
            continue
        if end < len(text) and "a" <= text[end] <= "z":
            continue
        cue = _CUES.search(text[max(0, start - 14) : start]) is not None
        if cue:
            yield Lure("lure.contact", "number", 0.95, "block", start, end)
        elif _AFTER_NUMBER.match(text, end) or _DATE.fullmatch(digits) or styles == {"han"}:
            continue
        elif _MOBILE.fullmatch(digits):
            yield Lure("lure.contact", "mobile", 0.9, "block", start, end)
        elif 8 <= len(digits) <= 12:
            yield Lure("lure.contact", "digits", 0.6, "suspect", start, end)


_HAN_DIGITS = dict(zip("零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖幺", "00123456789123456789" + "1", strict=True))


@cache
def _digit(char: str) -> tuple[str, str] | None:
    if "0" <= char <= "9":
        return char, "plain"
    if char in _HAN_DIGITS:
        return _HAN_DIGITS[char], "han"
    value = unicodedata.digit(char, None)
    return None if value is None else (str(value), "other")


_MAYBE_NUMBER = re.compile(
    r"[0-9零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖幺](?:[ \-.]?[0-9零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖幺]){6,30}"
)


def _digit_runs(text: str) -> Iterator[tuple[int, int, str, set[str]]]:
    for match in _MAYBE_NUMBER.finditer(text):
        read = [d for d in map(_digit, match[0]) if d]
        yield match.start(), match.end(), "".join(d for d, _ in read), {style for _, style in read}


# ---------------------------------------------------------------- codes and prices

_QR = re.compile(r"(?:扫码|扫一扫|扫描?二维码|长按识别|识别二维码|扫下方|扫描下方|scan (?:the |this )?(?:qr|code))")
_QR_DOES = re.compile(
    r"领取?|加群|加入|进群|关注|下载|购买|优惠|观看|解锁|添加|咨询|下单|免费|join|download|buy|get|follow|free"
)
_SELLS = (
    r"限时|秒杀|特价|到手价|优惠价|券后|包邮|下单|抢购|解锁全集|解锁|私聊|私信|全集|套餐|开通会员|招商|代理价|仅售|只卖|"
    r"only|just|for|sale"
)
_PRICE = re.compile(
    rf"(?:{_SELLS})[^0-9]{{0,6}}(?:¥|￥|rmb|\$)?\s?[0-9]{{1,6}}(?:\.[0-9]{{1,2}})?\s?(?:元|块|r(?![a-z])|rmb|/部|/集|包邮)(?!多|钱都)"
    rf"|(?:¥|￥)\s?[0-9]{{1,6}}(?:\.[0-9]{{1,2}})?[^0-9]{{0,6}}(?:限时|包邮|下单|抢购|解锁|全集|起)"
    rf"|[0-9]{{1,6}}(?:\.[0-9]{{1,2}})?\s?(?:元|块)(?:/|一|每)(?:部|集|套|份|单|次)[^0-9]{{0,6}}(?:私聊|私信|下单|包邮|加|定制)"
)


def _codes_and_prices(text: str) -> Iterator[Lure]:
    for match in _QR.finditer(text):
        if _QR_DOES.search(text[max(0, match.start() - 12) : match.end() + 12]):
            yield Lure("lure.qr", "scan", 0.85, "suspect", *match.span())
    for match in _PRICE.finditer(text):
        yield Lure("lure.price", "price", 0.8, "suspect", *match.span())
