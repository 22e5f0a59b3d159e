"""What an observer prints, a console shows and a shell is sent: cut, doubled, spoilt; never believed beyond it."""

from __future__ import annotations

import base64
import math
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.adapters import openssh_script
from haos.adapters.node_steps import step_script
from haos.adapters.probe_ping import PingReport
from haos.adapters.probe_report import ProgramReport, Report
from haos.core.hostkeys import BEGIN, END, keys_on_console, parse_key
from haos.core.probe import History
from tests.fuzz.amount import NIGHTLY, examples

LOGS = Path(__file__).parents[2] / "fixtures" / "host"
GENUINE = (LOGS / "console-genuine.txt").read_bytes().decode()
VIP_MAC = "fa:16:3e:8d:dc:bb"
PROGRAM = [
    "haos-probe 1 icmp-raw+arp",
    *(line for n in range(6) for line in (f"s {n} {100 + n / 10}", f"a {n} {100 + n / 10 + 0.001} {VIP_MAC}")),
    *(
        "k 1 100.2",
        f"b 1 {VIP_MAC}",
        "t 1 100.2",
        "u 1 100.21",
        "t 2 100.3",
        "v 2 refused",
        "f 100.1 open -",
        "w a note",
    ),
    *("x 5", "m 1 100.4", "y 2 100.5", "n 100.6", "z asked"),
]
PING = [
    "PING 10.200.51.2 (10.200.51.2) 56(84) bytes of data.",
    *(f"[1795470000.{n}00000] 64 bytes from 10.200.51.2: icmp_seq={n} ttl=64 time=0.123 ms" for n in range(1, 5)),
    "[1795470000.500000] no answer yet for icmp_seq=5",
    "[1795470000.700000] 64 bytes from 10.200.51.2: icmp_seq=7 ttl=64 time=0.4 ms",
    "ping-exit 143",
]
WORDS = [
    "",
    "-",
    "x",
    "-1",
    "0",
    "1",
    "99",
    "1e400",
    "nan",
    "inf",
    "9" * 5000,
    "\u00b2",
    "100.25",
    VIP_MAC,
    "asked",
    "0x1",
    "1_0",
]
odd_words = st.sampled_from(WORDS) | st.text(max_size=5)


@st.composite
def transcripts(draw: st.DrawFn, lines: list[str]) -> list[str]:
    """Draw what is heard of a run: lines lost, doubled, out of order, cut, of other words, with noise between."""
    heard = [line for line in lines if draw(st.integers(0, 15))]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(heard)))
        what = draw(st.sampled_from(["noise", "double", "cut", "word", "swap"]))
        if what == "noise" or at == len(heard):
            heard.insert(at, draw(st.text(max_size=12) | st.sampled_from(lines)))
        elif what == "double":
            heard.insert(at, heard[at])
        elif what == "cut":
            heard[at] = heard[at][: draw(st.integers(0, len(heard[at])))]
        elif what == "word":
            words = heard[at].split(" ")
            words[draw(st.integers(0, len(words) - 1))] = draw(odd_words)
            heard[at] = " ".join(words)
        else:
            heard[at], heard[0] = heard[0], heard[at]
    return heard


def history(report: Report, heard: list[str]) -> History:
    """Feed a report; whatever it heard, it must be able to tell what it knows."""
    report.mark(1, "fault", 50.2)
    report.sync(2, 50.3)
    for number, line in enumerate(heard):
        report.feed(line, 50.5 + number / 1000)
    return report.history(None if report.end == "asked" else "lost")


def is_sound(found: History) -> bool:
    """Say whether every time is one, and every answer belongs to something that was sent."""
    times = [one for echo in found.echoes for one in (echo.sent_s, echo.answered_s)]
    times += [one for each in found.tries for one in (each.sent_s, each.answered_s)]
    times += [ask.sent_s for ask in found.asks] + [mark.at_s for mark in found.marks] + [found.now_s]
    times += [one for event in found.flow for one in (event.at_s, event.heard_s)]
    return all(one is None or math.isfinite(one) for one in times)


@examples(60)
@given(heard=transcripts(PROGRAM))
def test_a_report_that_is_spoilt_knows_less_and_invents_nothing(heard: list[str]) -> None:
    """An echo counts as answered only if a line says so; the end is "asked" only if the observer said that."""
    found = history(ProgramReport(0.1, 50.0), heard)
    assert is_sound(found)
    answers = {line.split()[1] for line in heard if line.split()[:1] == ["a"] and len(line.split()) > 3}
    assert sum(echo.answered_s is not None for echo in found.echoes) <= len(answers)
    asked = any(line.split()[:2] == ["z", "asked"] for line in heard)
    assert found.lost is not None or asked


@examples(60)
@given(heard=transcripts(PING))
def test_what_ping_says_is_read_or_passed_over(heard: list[str]) -> None:
    found = history(PingReport(0.2, (49.9, 1795469999.9, 50.0)), heard)
    assert is_sound(found)
    assert sum(echo.answered_s is not None for echo in found.echoes) <= sum("time=" in line for line in heard)


@examples(60)
@given(data=st.data())
def test_a_console_that_is_spoilt_gives_genuine_keys_or_none(data: st.DataObject) -> None:
    """No byte of a key may be otherwise than it was printed: what is not whole is not trusted."""
    genuine = {(key.type, key.blob) for key in keys_on_console(GENUINE).keys}
    at = data.draw(st.integers(0, len(GENUINE)))
    more = data.draw(
        st.text(max_size=6) | st.sampled_from([BEGIN, END, "\n", "\r\n", f"\n{BEGIN}\n", f"\n{END}\n", "\x1b[0m"])
    )
    width = data.draw(st.integers(0, 40))
    found = keys_on_console(GENUINE[:at] + more + GENUINE[at + width :])
    assert found.reason is not None or found.keys
    assert {(key.type, key.blob) for key in found.keys} <= genuine


@examples(60)
@given(
    text=st.text(max_size=80)
    | st.binary(max_size=60).map(lambda raw: f"ssh-ed25519 {base64.b64encode(raw).decode()}")
)
def test_a_key_is_whole_or_none(text: str) -> None:
    key = parse_key(text)
    if key is not None:
        assert text.startswith(f"{key.type} {key.blob}")
        assert len(base64.b64decode(key.blob)) >= 51


@examples(15)
@given(
    content=st.lists(
        st.sampled_from(["E\u00e9", "EOF", "$(id)", "\\", "A\u00e9", "x"]) | st.text(max_size=6), max_size=4
    )
)
def test_an_uploaded_text_arrives_as_it_is(content: list[str], tmp_path: Path) -> None:
    text = "\n".join(
        one for one in content if "\0" not in one and all(not 0xD800 <= ord(each) < 0xE000 for each in one)
    )
    script = openssh_script.upload(text).encode()
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    said = subprocess.run(["sh", "-s"], input=script, capture_output=True, env=environ, check=True, timeout=30)
    path = Path(said.stdout.decode().strip())
    assert path.read_bytes() == f"{text}\n".encode()
    assert path.stat().st_mode & 0o777 == 0o600


STEPS = {
    "weigh": {"PAIR": "web", "WEIGHT": "1"},
    "configure": {"PAIR": "web", "FILE_COUNT": "0"},
    "remove": {"PAIR": "web", "VIP": "10.200.51.9", "PURGE": "no", "RETURNING": "no"},
    "install": {},
    "activate": {},
    "sight": {"PAIR": "web", "VIP": "10.200.51.9"},
    "facts": {},
}


@pytest.mark.parametrize("shell", ["sh", "bash"])
@examples(25 if not NIGHTLY else 10)
@given(data=st.data())
def test_a_script_that_was_cut_on_its_way_is_none(shell: str, data: st.DataObject) -> None:
    """Whatever came before the connection broke, a shell finds no command in it that it could run yet."""
    step = data.draw(st.sampled_from(sorted(STEPS)))
    whole = openssh_script.wrap(step_script(step, STEPS[step]), "marker")
    last = whole.rindex("}")
    cut = whole[: data.draw(st.integers(0, last))]
    # -n: what is no whole command is a syntax error, what is nothing at all is fine.
    parsed = subprocess.run([shell, "-n"], input=cut, capture_output=True, text=True, timeout=30, check=False)
    assert (parsed.returncode != 0) is bool(cut.strip())
    assert subprocess.run([shell, "-n"], input=whole, capture_output=True, text=True, timeout=30).returncode == 0
