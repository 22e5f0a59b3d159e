"""Tables as the openstack client draws them, wide characters included; wrapped only to a width that somebody set."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from haos.view.plain import visible

Grid = Sequence[Sequence[object]]
_WORDS = re.compile(r"\s+|(?<=-)")
"""What textwrap breaks at."""


def table(
    columns: Sequence[str],
    rows: Grid,
    *,
    width: int | None = None,
    narrowest: int = 8,
    right: Sequence[str] | None = None,
    keep_words: bool = False,
) -> Iterator[str]:
    """Yield the lines of a table; numbers stand right, as the first row's types say, or the columns `right`.

    With `width`, columns that are wider than their share are wrapped as cliff does it, none to less than `narrowest`
    or its heading: a table rather overflows than becomes unreadable. With `keep_words` no address is broken where
    another column has room to give.
    """
    cells = [[_lines(cell) for cell in row] for row in rows]
    headings = [cell_len(column) for column in columns]
    widths = [
        max(heading, *(cell_len(line) for row in cells for line in row[index]), 0)
        for index, heading in enumerate(headings)
    ]
    if width is not None and sum(widths) + 3 * len(widths) + 1 > width:
        limits = _wordwise(columns, cells, widths, width) if keep_words else None
        limits = limits or _shrunk(widths, width, narrowest)
        widths = [
            max(heading, min(each, limit)) for heading, each, limit in zip(headings, widths, limits, strict=True)
        ]
        cells = [[_wrapped(lines, each) for lines, each in zip(row, widths, strict=True)] for row in cells]
    numbers = [_is_number(cell) for cell in rows[0]] if rows else [False] * len(columns)
    stand_right = numbers if right is None else [column in right for column in columns]
    rule = "".join(f"+{'-' * (each + 2)}" for each in widths) + "+"
    yield from (rule, _row(columns, widths, stand_right), rule)
    for row in cells:
        for number in range(max(len(lines) for lines in row)):
            parts = [lines[number] if number < len(lines) else "" for lines in row]
            yield _row(parts, widths, stand_right)
    yield rule


def folded(text: str, width: int, hang: int) -> list[str]:
    """Return prose broken between words, later lines indented by `hang`; a word that is too long stays whole."""
    first, *words = text.lstrip(" ").split(" ")
    line = " " * (len(text) - len(text.lstrip(" "))) + first
    lines = []
    for word in words:
        if cell_len(f"{line} {word}") <= width:
            line = f"{line} {word}"
        else:
            lines.append(line.rstrip())
            line = " " * hang + word
    return [*lines, line]


def _lines(cell: object) -> list[str]:
    text = str(cell).replace("\r\n", "\n").expandtabs()
    return visible(text).split("\n")


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _shrunk(widths: Sequence[int], width: int, narrowest: int) -> list[int]:
    # cliff's rule: columns within an equal share stay; the others share what is left, the last takes the remainder.
    left = max(0, width - 1 - 3 * len(widths))
    share = left // len(widths)
    wide = [index for index, each in enumerate(widths) if each > share]
    left -= sum(each for each in widths if each <= share)
    limits = list(widths)
    each = left // len(wide)
    for index in wide[:-1]:
        limits[index] = max(narrowest, each)
        left -= each
    limits[wide[-1]] = max(narrowest, left)
    return limits


def least_width(columns: Sequence[str], rows: Grid) -> int:
    """Return the width of the narrowest table in which no word is broken."""
    return sum(_least(columns, [[_lines(cell) for cell in row] for row in rows])) + 3 * len(columns) + 1


def _least(columns: Sequence[str], cells: Sequence[Sequence[Sequence[str]]]) -> list[int]:
    return [
        max(
            cell_len(column),
            *(cell_len(word) for row in cells for line in row[index] for word in _WORDS.split(line)),
            0,
        )
        for index, column in enumerate(columns)
    ]


def _wordwise(
    columns: Sequence[str], cells: Sequence[Sequence[Sequence[str]]], widths: Sequence[int], width: int
) -> list[int] | None:
    """Return widths that break no word, what is left given to those who lack least; None if there are none."""
    limits = _least(columns, cells)
    left = width - 1 - 3 * len(widths) - sum(limits)
    if left < 0:
        return None
    for index in sorted(range(len(widths)), key=lambda each: widths[each] - limits[each]):
        gain = min(left, widths[index] - limits[index])
        limits[index] += gain
        left -= gain
    return limits


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    wrapped: list[str] = []
    for line in lines:
        if cell_len(line) <= width:
            wrapped.append(line)
        elif line.isascii():
            wrapped += textwrap.wrap(line, width)
        else:
            wrapped += [part.plain.rstrip() for part in Text(line).wrap(Console(), width)]
    return wrapped


def _row(parts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for part, width, is_right in zip(parts, widths, right, strict=True):
        blank = " " * (width - cell_len(part))
        padded.append(f" {blank}{part} " if is_right else f" {part}{blank} ")
    return f"|{'|'.join(padded)}|"
