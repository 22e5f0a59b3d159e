"""Our own glyphs on terminals that have none of them. Imports nothing heavy: the command line starts with it."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Mapping
from typing import TextIO

GLYPHS = {"±": "+-", "…": "...", "→": "->", "·": ".", "█": "#", "▼": "v", "▶": ">"}
"""What haos itself prints beyond ASCII, and what stands for it."""
ERRORS = "haos-plain"
_TABLE = str.maketrans(GLYPHS)


def plain(text: str) -> str:
    """Return the text with haos's own glyphs spelled in ASCII."""
    return text.translate(_TABLE)


def harmless(text: str) -> str:
    """Return the text as one line without control characters: a name in it must not move the terminal's cursor."""
    return "".join(" " if unicodedata.category(one) == "Cc" else one for one in text)


def shows_glyphs(encoding: str | None, environ: Mapping[str, str]) -> bool:
    """Say whether a terminal shows more than ASCII: Python encodes as UTF-8 even where the locale is C."""
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "C"
    return (encoding or "").lower().startswith("utf") and locale not in ("C", "POSIX")


def never_fail(stream: TextIO) -> None:
    """Make a stream write what its encoding lacks in some other way, instead of raising UnicodeEncodeError."""
    codecs.register_error(ERRORS, _spelled)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and not (stream.encoding or "").lower().startswith("utf"):
        reconfigure(errors=ERRORS)


def _spelled(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError), "only streams that are written have this handler"
    missing = error.object[error.start : error.end]
    spelled = (GLYPHS.get(one) or one.encode("ascii", "backslashreplace").decode() for one in missing)
    return "".join(spelled), error.end
