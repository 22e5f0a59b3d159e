"""Output formats, with the openstack client's own formatters (cliff) as the oracle."""

from __future__ import annotations

import argparse
import io
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from cliff.formatters import commaseparated, json_format, shell, value, yaml_format
from cliff.formatters.table import TableFormatter
from cliff.lister import Lister
from hypothesis import given
from hypothesis import strategies as st

from haos.errors import UsageError
from haos.view.formats import as_list, as_one
from haos.view.style import LIST_FORMATS, QUOTES, SHOW_FORMATS, Style
from haos.view.table import folded, least_width, table

COLUMNS = ("Name", "Fixed IP", "VRID", "Interval")
ROWS: list[tuple[object, ...]] = [
    ("web", "10.0.0.2", 7, 0.3),
    ("データベース", "10.0.0.130", 12, 1.0),
    ('a "b", c', None, 1, 0.05),
    ("two\nlines and a longer sentence that must be wrapped somewhere", "fd00::1", 255, 0.1),
]
ORACLES: dict[str, Any] = {
    "table": TableFormatter(),
    "json": json_format.JSONFormatter(),
    "yaml": yaml_format.YAMLFormatter(),
    "value": value.ValueFormatter(),
    "csv": commaseparated.CSVLister(),
    "shell": shell.ShellFormatter(),
}


def arguments(style: Style) -> argparse.Namespace:
    return argparse.Namespace(
        max_width=style.max_width,
        fit_width=False,
        print_empty=style.print_empty,
        noindent=style.noindent,
        quote_mode=style.quote,
        prefix=style.prefix,
        variables=[],
    )


def cliff_list(columns: Sequence[str], rows: Sequence[Sequence[object]], style: Style) -> str:
    out = io.StringIO()
    ORACLES[style.format].emit_list(columns, rows, out, arguments(style))
    return out.getvalue()


def cliff_one(columns: Sequence[str], values: Sequence[object], style: Style) -> str:
    out = io.StringIO()
    ORACLES[style.format].emit_one(columns, values, out, arguments(style))
    return out.getvalue()


@pytest.mark.parametrize("name", LIST_FORMATS)
@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], []], ids=["four", "one", "none"])
def test_a_list_is_cliffs(name: str, rows: list[tuple[object, ...]]) -> None:
    style = Style(name)
    assert as_list(COLUMNS, rows, style) == cliff_list(COLUMNS, rows, style)


@pytest.mark.parametrize("name", SHOW_FORMATS)
@pytest.mark.parametrize("row", ROWS, ids=["plain", "wide", "quotes", "lines"])
def test_one_thing_is_cliffs(name: str, row: tuple[object, ...]) -> None:
    style = Style(name)
    assert as_one(COLUMNS, row, style) == cliff_one(COLUMNS, row, style)


@pytest.mark.parametrize("quote", QUOTES)
def test_csv_quotes_as_cliff_does(quote: str) -> None:
    style = Style("csv", quote=quote)
    assert as_list(COLUMNS, ROWS, style) == cliff_list(COLUMNS, ROWS, style)


def test_json_without_indent_is_cliffs() -> None:
    style = Style("json", noindent=True)
    assert as_list(COLUMNS, ROWS, style) == cliff_list(COLUMNS, ROWS, style)
    assert as_one(COLUMNS, ROWS[0], style) == cliff_one(COLUMNS, ROWS[0], style)


def test_an_empty_table_is_printed_on_demand() -> None:
    style = Style(print_empty=True)
    assert as_list(COLUMNS, [], style) == cliff_list(COLUMNS, [], style)


@given(
    rows=st.lists(st.tuples(*[st.text("ab -.", max_size=40)] * 3), min_size=1, max_size=4),
    width=st.integers(20, 100),
)
def test_a_table_is_fitted_as_cliff_does(rows: list[tuple[str, str, str]], width: int) -> None:
    style = Style(max_width=width)
    columns = ("First heading", "B", "Third")
    assert as_list(columns, rows, style, width=width) == cliff_list(columns, rows, style)
    assert as_one(columns, rows[0], style, width=width) == cliff_one(columns, rows[0], style)


def test_wide_characters_are_folded_by_what_they_take() -> None:
    lines = as_list(("Name", "Other"), [("データベース" * 4, "x" * 30)], Style(), width=40).splitlines()
    assert len(lines) > 5
    assert "".join(line[2:].partition(" ")[0] for line in lines[3:-1]) == "データベース" * 4


def test_a_shells_variables_cannot_run_anything() -> None:
    name = "$(echo run) `echo run` \\ \" '"
    text = as_one(("Net-work",), (name,), Style("shell", prefix="p_"))
    script = f'{text}printf %s "$p_net_work"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == name


@pytest.mark.parametrize("wanted", [("vrid",), ("fixed_ip", "Name"), ("Fixed IP", "nonsense")])
def test_columns_are_chosen_as_cliff_does(wanted: tuple[str, ...]) -> None:
    lister = argparse.Namespace(columns=wanted)
    chosen, selector = Lister._generate_columns_and_selector(Lister, lister, COLUMNS)  # type: ignore[arg-type]
    assert selector is not None
    rows = [[cell for cell, keep in zip(row, selector, strict=True) if keep] for row in ROWS]
    assert as_list(COLUMNS, ROWS, Style("csv", wanted)) == cliff_list(chosen, rows, Style("csv"))


def test_an_unknown_column_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no such column: nonsense") as caught:
        as_list(COLUMNS, ROWS, Style(columns=("nonsense",)))
    assert caught.value.hint == "the columns are Name, Fixed IP, VRID, Interval"


@pytest.mark.parametrize(
    ("sort", "descending", "names"),
    [
        (("VRID",), False, ["c", "a", "b"]),
        (("VRID",), True, ["b", "a", "c"]),
        (("net work", "name"), False, ["a", "b", "c"]),
        (("nonsense",), False, ["b", "c", "a"]),
    ],
)
def test_rows_are_sorted_what_is_unset_last(sort: tuple[str, ...], descending: bool, names: list[str]) -> None:
    rows = [("b", 12, "x"), ("c", 2, None), ("a", 7, "x")]
    shown = as_list(("Name", "VRID", "Net Work"), rows, Style("value", ("Name",), sort, descending))
    assert shown.splitlines() == names


def test_a_name_cannot_move_the_cursor() -> None:
    assert "\x1b" not in as_list(("Name",), [("a\x1b[2Jb\x07",)], Style())


def test_on_a_terminal_no_address_is_broken_while_another_column_can_give() -> None:
    columns = ("Name", "VIP", "Nodes")
    rows = [("web", "2001:db8:ffff::1234", "first node, second node, third node")]
    assert list(table(columns, rows, width=50, keep_words=True)) == [
        "+------+---------------------+-------------------+",
        "| Name | VIP                 | Nodes             |",
        "+------+---------------------+-------------------+",
        "| web  | 2001:db8:ffff::1234 | first node,       |",
        "|      |                     | second node,      |",
        "|      |                     | third node        |",
        "+------+---------------------+-------------------+",
    ]
    assert least_width(columns, rows) == 39


def test_where_words_do_not_fit_cliffs_rule_is_left() -> None:
    rows = [("x" * 30, "y" * 30)]
    assert list(table(("A", "B"), rows, width=30, keep_words=True)) == list(table(("A", "B"), rows, width=30))


@pytest.mark.parametrize(
    ("text", "width", "hang", "lines"),
    [
        ("one two three", 80, 2, ["one two three"]),
        ("  + one two three", 12, 4, ["  + one two", "    three"]),
        ("one  two", 5, 2, ["one", "  two"]),
        ("a " + "x" * 20 + " b", 10, 2, ["a", "  " + "x" * 20, "  b"]),
        ("データ ベース", 8, 2, ["データ", "  ベース"]),
        ("", 10, 2, [""]),
    ],
)
def test_prose_is_folded_between_words(text: str, width: int, hang: int, lines: list[str]) -> None:
    assert folded(text, width, hang) == lines
