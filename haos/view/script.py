"""Lines of a shell script: every word quoted, but for the few that are variables on purpose."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from haos.core.texts import here_limit
from haos.view.plain import harmless


@dataclass(frozen=True)
class Variable:
    """A word that the shell shall expand: a variable, after a text that needs no quoting within double quotes."""

    name: str
    before: str = ""

    def __str__(self) -> str:
        return f'"{self.before}${self.name}"'


Word = str | Variable


def command(*words: Word) -> str:
    """Return a command line."""
    return " ".join(shlex.quote(word) if isinstance(word, str) else str(word) for word in words)


def kept(variable: str, *words: Word) -> str:
    """Return a command line whose output becomes a variable."""
    return f"{variable}=$({command(*words)})"


def comment(text: str) -> str:
    """Return a comment; a name in it cannot end the line."""
    return f"# {harmless(text)}"


def with_input(words: Sequence[Word], text: str) -> Iterator[str]:
    """Yield a command that reads a text from its standard input."""
    lines = text.removesuffix("\n").split("\n")  # not at what else may end a line: the text arrives as it is
    end = here_limit(text)
    yield f"{command(*words)} <<'{end}'"
    yield from lines
    yield end
