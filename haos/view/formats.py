"""Columns and rows as text, in the formats of the openstack client (cliff): its headings, order and quoting."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from itertools import compress

from haos.errors import UsageError
from haos.view.style import QUOTES, Style
from haos.view.table import Grid, table

QUOTING = {quote: getattr(csv, f"QUOTE_{quote.upper()}") for quote in QUOTES}


def as_list(
    columns: Sequence[str], rows: Grid, style: Style, *, width: int | None = None, keep_words: bool = False
) -> str:
    """Return several things, one a row. Raises UsageError where no column of that name exists."""
    rows, chosen = _sorted(columns, _spelled(rows, style), style), _chosen(columns, style)
    names = list(compress(columns, chosen))
    picked = [list(compress(row, chosen)) for row in rows]
    match style.format:
        case "json":
            return _json([dict(zip(names, row, strict=True)) for row in picked], style)
        case "yaml":
            return _yaml([dict(zip(names, row, strict=True)) for row in picked])
        case "csv":
            return _csv(names, picked, style)
        case "value":
            return "".join(" ".join(map(str, row)) + "\n" for row in picked)
        case _:
            shown = picked or style.print_empty
            return "\n".join(table(names, picked, width=width, keep_words=keep_words) if shown else [""]) + "\n"


def as_one(columns: Sequence[str], values: Sequence[object], style: Style, *, width: int | None = None) -> str:
    """Return one thing, a field a row. Raises UsageError where no column of that name exists."""
    chosen = _chosen(columns, style)
    [values] = _spelled([values], style)
    fields = list(zip(compress(columns, chosen), compress(values, chosen), strict=True))
    match style.format:
        case "json":
            return _json(dict(fields), style)
        case "yaml":
            return "".join(_yaml({name: value}) for name, value in fields)
        case "shell":
            return "".join(_variable(name, value, style) for name, value in fields)
        case "value":
            return "".join(f"{value}\n" for _, value in fields)
        case _:
            # Values are of all kinds: cliff lets every one stand left.
            rows = [(name, str(value)) for name, value in fields]
            return "\n".join(table(("Field", "Value"), rows, width=width, narrowest=16)) + "\n"


def as_document(value: object, style: Style) -> str:
    """Return a value that is no table, as JSON or YAML; its keys keep their order."""
    if style.format == "json":
        return _json(value, style)
    return _yaml(value, sort_keys=False)


def spelled(cell: object) -> object:
    """Return a list as people read it; anything else as it is."""
    return ", ".join(map(str, cell)) if isinstance(cell, list | tuple) else cell


def _spelled(rows: Grid, style: Style) -> Grid:
    if style.format in ("json", "yaml"):
        return [[list(cell) if isinstance(cell, tuple) else cell for cell in row] for row in rows]
    return [[spelled(cell) for cell in row] for row in rows]


def _normal(column: str) -> str:
    return column.lower().strip().replace(" ", "_")


def refuse_unknown(columns: Sequence[str], style: Style) -> None:
    """Refuse columns that nobody has: before anything is done whose result they shall show. Raises UsageError."""
    _chosen(columns, style)


def _chosen(columns: Sequence[str], style: Style) -> list[bool]:
    if not style.columns:
        return [True] * len(columns)
    wanted = {_normal(column) for column in style.columns}
    chosen = [_normal(column) in wanted for column in columns]
    if not any(chosen):
        raise UsageError(f"no such column: {', '.join(style.columns)}", hint=f"the columns are {', '.join(columns)}")
    return chosen


def _sorted(columns: Sequence[str], rows: Grid, style: Style) -> Grid:
    normal = [_normal(column) for column in columns]
    wanted = [_normal(column) for column in style.sort_columns]
    for index in reversed([normal.index(column) for column in wanted if column in normal]):

        def key(row: Sequence[object], at: int = index) -> tuple[bool, bool, object]:
            # What is unset comes last; numbers and words never meet in a comparison.
            cell = row[at]
            return cell is None, isinstance(cell, str), cell

        rows = sorted(rows, key=key, reverse=style.descending)
    return rows


def _json(value: object, style: Style) -> str:
    return json.dumps(value, indent=None if style.noindent else 2, allow_nan=False) + "\n"


def _yaml(value: object, *, sort_keys: bool = True) -> str:
    import yaml  # type: ignore[import-untyped]  # late: no other format needs to pay for it

    return str(yaml.safe_dump(value, default_flow_style=False, sort_keys=sort_keys))


def _csv(names: Sequence[str], rows: Grid, style: Style) -> str:
    return "".join(_csv_row(row, style) for row in (names, *rows))


def _csv_row(row: Sequence[object], style: Style) -> str:
    # Python quotes what ends a line only as far as it ends lines itself: a bare "\r" would end one for others.
    text = io.StringIO()
    csv.writer(text, quoting=QUOTING[style.quote], lineterminator="\r\n", escapechar="\\").writerow(row)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _variable(name: str, value: object, style: Style) -> str:
    variable = _normal(name).replace(":", "_").replace("-", "_")
    # cliff escapes the quotes alone: a network named $(reboot) would be run by whoever evaluates its output.
    text = re.sub(r'([\\"$`])', r"\\\1", str(value))
    return f'{style.prefix}{variable}="{text}"\n'
