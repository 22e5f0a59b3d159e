"""Numbers, times and JSON out of text that somebody else wrote: what is none of them is a ValueError, never less."""

from __future__ import annotations

import json
import math
import re
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
