"""Durations as people write them: 500ms, 1s, 1.5 s, 2m; a bare number is seconds."""

from __future__ import annotations

import re
from typing import Any

import click

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>ms|s|m|min)?", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0}


class Duration(click.ParamType):  # type: ignore[type-arg]
    """Turns a duration into seconds, within limits."""

    name = "duration"

    def __init__(self, least_s: float = 0.0, most_s: float = 86400.0) -> None:
        self.least_s = least_s
        self.most_s = most_s

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return how help names it."""
        return "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            self.fail(f"{value!r} is no duration: 500ms, 1s, 2m", param, ctx)
        seconds = float(match["number"]) * _SECONDS[(match["unit"] or "s").lower()]
        if not self.least_s <= seconds <= self.most_s:
            self.fail(f"{value!r} is not within {self.least_s:g} s and {self.most_s:g} s", param, ctx)
        return seconds
