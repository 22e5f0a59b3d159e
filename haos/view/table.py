"""Tables as the openstack client draws them, wide characters included; wrapped only to a width that somebody set."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

Grid = Sequence[Sequence[object]]


def table(
    columns: Sequence[str],
    rows: Grid,
    *,
    width: int | None = None,
    narrowest: int = 8,
    right: Sequence[str] | None = None,
) -> Iterator[str]:
    """Yield the lines of a table; numbers stand right, as the first row's types say, or the columns `right`.

    With `width`, columns that are wider than their share are wrapped as cliff does it, none to less than `narrowest`
    or its heading: a table rather overflows than becomes unreadable.
    """
    cells = [[_lines(cell) for cell in row] for row in rows]
    headings = [cell_len(column) for column in columns]
    widths = [
        max(heading, *(cell_len(line) for row in cells for line in row[index]), 0)
        for index, heading in enumerate(headings)
    ]
    if width is not None and sum(widths) + 3 * len(widths) + 1 > width:
        limits = _shrunk(widths, width, narrowest)
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


def visible(text: str) -> str:
    """Return the text without control characters: a name must not move the terminal's cursor."""
    return "".join(" " if unicodedata.category(one) == "Cc" and one != "\n" else one for one in text)


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
