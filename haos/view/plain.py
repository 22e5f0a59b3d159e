"""Our own glyphs on terminals that have none of them. Imports nothing heavy: the command line starts with it."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Mapping
from typing import TextIO

GLYPHS = {"±": "+-", "…": "...", "→": "->", "·": ".", "█": "#", "▼": "v", "▶": ">"}
"""What haos itself prints beyond ASCII, and what stands for it."""
ERRORS = "haos-plain"
_OBEYED = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, halves of surrogates, and separators of lines and paragraphs."""
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""Characters that change the direction of what follows them, beyond the name that they are in."""
_TABLE = str.maketrans(GLYPHS)


def plain(text: str) -> str:
    """Return the text with haos's own glyphs spelled in ASCII."""
    return text.translate(_TABLE)


def visible(text: str) -> str:
    """Return the text, with blanks for what a terminal would obey: a name must not move its cursor or turn a line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if one != "\n" and _is_obeyed(one) else one for one in text)


def harmless(text: str) -> str:
    """Return the same as one line: a name must not pass for another line of haos's."""
    return visible(text).replace("\n", " ")


def _is_obeyed(one: str) -> bool:
    return unicodedata.category(one) in _OBEYED or unicodedata.bidirectional(one) in _TURNING


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
