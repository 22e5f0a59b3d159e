"""A turn: one run at a time moves the VIPs of a node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """What a run claims a node with; the node itself keeps it, and forgets it when it has lasted too long."""

    run: str  # tells two runs apart: hexadecimal
    pair: str
    what: str  # in words, for whoever finds the node taken
    lasts_s: int
