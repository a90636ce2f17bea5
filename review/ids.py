"""Ids that sort by the time they were made: ULIDs with a prefix that says what they name."""

from __future__ import annotations

import secrets
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32."""
BODY = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"


def new(prefix: str) -> str:
    """`<prefix>_` and 26 characters: 48 bits of milliseconds, 80 random bits."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return f"{prefix}_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
