"""Terminals that show ASCII alone: nothing fails, haos's own glyphs are spelled, names keep their escapes."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from haos.cli.main import COMMANDS
from haos.view.plain import GLYPHS, never_fail, plain, shows_glyphs
from tests.cli.conftest import Haos


def test_a_stream_spells_what_it_cannot_show() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    never_fail(stream)
    stream.write(f"{''.join(GLYPHS)} naïve 数")
    stream.flush()
    assert raw.getvalue() == b"+-...->.#v> na\\xefve \\u6570"


def test_utf8_is_left_as_it_is() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    never_fail(stream)
    stream.write("± 数")
    stream.flush()
    assert raw.getvalue().decode() == "± 数"


def test_plain_spells_our_own_glyphs_alone() -> None:
    assert plain("± 1 … → 数") == "+- 1 ... -> 数"


@pytest.mark.parametrize(
    ("encoding", "environ", "shows"),
    [
        ("utf-8", {"LANG": "de_DE.UTF-8"}, True),
        ("UTF-8", {"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, False),
        ("utf-8", {"LC_CTYPE": "POSIX"}, False),
        ("utf-8", {}, False),
        ("ascii", {"LANG": "de_DE.UTF-8"}, False),
        (None, {"LANG": "de_DE.UTF-8"}, False),
    ],
)
def test_glyphs_need_encoding_and_locale(encoding: str | None, environ: dict[str, str], shows: bool) -> None:
    assert shows_glyphs(encoding, environ) is shows


@pytest.mark.parametrize("name", COMMANDS)
def test_help_needs_no_more_than_ascii(haos: Haos, name: str) -> None:
    # click writes UTF-8 even where Python was told to write ASCII.
    assert haos(name, "--help").out.isascii()


@pytest.mark.parametrize("setting", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}])
def test_errors_are_shown(setting: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "haos", "status", "--os-cloud", "naïve…"],
        env={**os.environ, **setting},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.count(b"\n") == 3
    assert b"Traceback" not in ended.stderr
    if "PYTHONIOENCODING" in setting:
        assert b"haos: Cloud na\\xefve... was not found." in ended.stderr
