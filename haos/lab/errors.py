"""The one error that the lab expects."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do as asked: the message is one line with the reason, the hint names the remedy."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint
