"""Numbers, times and JSON out of text that somebody else wrote, and texts as a shell is given them. Pure."""

from __future__ import annotations

import json
import math
import re
from itertools import count
from string import ascii_uppercase
from typing import Any

_DIGITS = re.compile(r"[0-9]{1,18}")


def number_of(text: str) -> int | None:
    """Return a number of ASCII digits, blanks around it left out; None for anything else."""
    text = text.strip()
    return int(text) if _DIGITS.fullmatch(text) else None


def seconds_of(text: str) -> float:
    """Return a time. Raises ValueError for what is none, infinity and "nan" among it."""
    seconds = float(text)
    if not math.isfinite(seconds):
        raise ValueError(f"{text[:20]!r} is no time")
    return seconds


def json_of(text: str) -> Any:
    """Return what a JSON text says. Raises ValueError for what is none, also if it nests without end."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it nests too deeply") from None


def here_limit(text: str, word: str = "ND") -> str:
    """Return a word that ends a text given to a shell as a here-document: a letter and `word`.

    No line is it. And none begins as it does and goes on with a byte that is not ASCII: dash 0.5.12 loses that byte.
    """
    lines = text.split("\n")
    candidates = (f"{letter}{word}{'_' * more}" for more in count() for letter in ("E", *ascii_uppercase))
    return next(limit for limit in candidates if not any(_clashes(line, limit) for line in lines))


def _clashes(line: str, limit: str) -> bool:
    pairs = enumerate(zip(line, limit, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(line), len(limit)))
    return line == limit or (same > 0 and not line[same : same + 1].isascii())
