"""What a failover test shows, as whole text: on terminals of 80 and 160 columns, in ASCII, in a pipe."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from haos.core.leg import Insight
from haos.core.outage import Outage, Verdict
from haos.core.report import FailoverReport
from haos.view.cells import cells, filled, within
from haos.view.console import Output
from haos.view.failover import show_report
from haos.view.style import Style
from haos.view.tally import known_outage_s, tallies
from haos.view.timeline import strip, window
from tests.reports import moved, report_of, thorough, usual

LETTERS = {"ha_first": "F", "ha_second": "S"}


@pytest.fixture(autouse=True)
def _capable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LANG", "C.UTF-8")


def screen(
    report: FailoverReport, width: int | None = 80, style: Style | None = None, *, verbose: bool = False
) -> tuple[int, str, str]:
    """Return (exit code, stdout, stderr) on a terminal of that width, or in a pipe."""
    made, streams = Output(), (io.StringIO(), io.StringIO())
    made.out, made.err = (
        Console(file=stream, force_terminal=width is not None, width=width or 80, soft_wrap=True, highlight=False,
                emoji=False, markup=False, legacy_windows=False)
        for stream in streams
    )  # fmt: skip
    code = show_report(report, made, style or Style(), verbose=verbose)
    out, err = (re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()) for stream in streams)
    return code, out, err


USUAL_80 = """\
Pair ha_first-ha_second, VIP 10.200.51.2, asked every 10 ms from observer
stop       |FFFFFFFFF▼·▶·SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS| 1.2 s
- failback |SSSSSSSSS▼▶FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF| 1.2 s
kill       |FFFFFF▼·····················▶·SSSSSSSSSSSSSSSSSSSSSSSSSSSSSS| 1.9 s
- failback |SSSSSSSSS▼▶FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF| 1.2 s
partition  |FFFFF▼························▶·SSSSSSSSSSSSSSSSSSSSSSSSSSSS| 2.0 s
- failback |SSSSSSSSS▼▶FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF| 1.2 s
  F ha_first  S ha_second  · lost  ▼ fault, or its end  ▶ VIP on the other node, by its own log
+------------+-----------+-----------+--------+-------+-----------+---------+
| Fault      | From      | To        | Outage | Bound | Detection | Verdict |
+------------+-----------+-----------+--------+-------+-----------+---------+
| stop       | ha_first  | ha_second |  0.030 | 0.030 |     0.026 |    PASS |
| - failback | ha_second | ha_first  |  0.000 | 0.000 |     0.000 |    PASS |
| kill       | ha_first  | ha_second |  0.710 | 0.930 |     0.709 |    PASS |
| - failback | ha_second | ha_first  |  0.000 | 0.000 |     0.000 |    PASS |
| partition  | ha_first  | ha_second |  0.840 | 0.930 |     0.838 |    PASS |
| - failback | ha_second | ha_first  |  0.000 | 0.000 |     0.000 |    PASS |
+------------+-----------+-----------+--------+-------+-----------+---------+
Seconds; outages ± 0.010 s; a verdict lets 0.1 s more pass than the bound, for scheduling and the network.
PASS: 10.200.51.2 answers from ha_first
"""
USUAL_HINTS = """\
not shown at this width: Take-over, Dual-Active, No-Active; -v or -f json show them
warning: one round says nothing of the spread: it matters how long before the fault the last advertisement was
  hint: --rounds 10
"""


USUAL_WIDE = """\
| Fault      | From      | To        | Outage | Bound | Detection | Take-over | Dual-Active | No-Active | Verdict |
"""


def test_a_pipe_is_given_the_whole_as_plain_text() -> None:
    code, out, err = screen(usual(), None)
    assert (code, err) == (0, "".join(USUAL_HINTS.splitlines(keepends=True)[1:]))
    assert USUAL_WIDE in out
    assert [line for line in out.splitlines() if line[0] not in "|+"] == [
        line for line in USUAL_80.splitlines() if line[0] not in "|+"
    ]


def test_a_pipe_that_was_given_a_width_keeps_to_it() -> None:
    code, out, err = screen(usual(), None, Style(max_width=80))
    assert (code, out, err) == (0, USUAL_80, USUAL_HINTS)


def test_a_terminal_of_80_columns_gets_the_same_broken_between_words() -> None:
    code, out, err = screen(usual())
    assert code == 0
    assert " ".join(out.split()) == " ".join(USUAL_80.split())
    assert max(map(len, (out + err).splitlines())) <= 80


def test_ascii_terminals_get_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    _, out, err = screen(usual())
    assert (out + err).isascii()
    assert "\nkill       |FFFFFFv.....................>.SSSS" in out
    assert ". lost  v fault, or its end  > VIP" in out


def test_160_columns_show_it_all() -> None:
    code, out, err = screen(thorough(), 160)
    assert code == 4
    heading = next(line for line in out.splitlines() if line.startswith("| Fault"))
    assert [each.strip() for each in heading.strip("|").split("|")] == [
        "Fault", "From", "To", "Rounds", "Min", "Median", "p95", "Max", "Bound",
        "Detection", "Take-over", "Both Answer", "Dual-Active", "Verdict",
    ]  # fmt: skip
    row = next(line for line in out.splitlines() if line.startswith("| partition"))
    assert [each.strip() for each in row.strip("|").split("|")] == [
        "partition", "ha_first", "ha_second", "3", "0.750", "0.800", "0.850", "0.850", "0.930",
        "0.846", "0.006", "0.000", "0.000", "PASS",
    ]  # fmt: skip
    assert "not shown at this width: No-Active;" in err
    assert max(map(len, (out + err).splitlines())) <= 160
    strips = [line for line in out.splitlines() if re.search(r"\| \d\.\d s$", line)]
    assert {len(line) for line in strips} == {len("- failback 1 |") + 120 + len("| 1.2 s")}


def test_on_80_columns_two_active_nodes_come_before_the_percentile() -> None:
    code, out, err = screen(thorough())
    assert "| Fault      | Rounds |   Min | Median |   Max | Bound | Both Answer | Verdict |" in out
    assert "| hang       |      3 | 0.000 |  0.000 | 0.000 | 0.930 |       2.500 |    FAIL |" in out
    assert "| stop       | 0 of 1 |     - |      - |     - | 0.030 |       0.000 | UNKNOWN |" in out
    assert "not shown at this width: From, To, p95" in " ".join(err.split())
    assert max(map(len, (out + err).splitlines())) <= 80
    assert code == 4


def test_every_fault_that_did_not_pass_is_named_with_its_reason() -> None:
    report = thorough()
    out = screen(report, 160)[1].splitlines()
    assert out[-3:-1] == [
        "hang: FAIL in 3 of 3 rounds: two nodes answered for the VIP at once for 2.5 s, over 0 s",
        f"stop: UNKNOWN: {report.legs[-1].reason}",
    ]
    back = replace(moved("failback", 0.5, fault="kill", back=True, bound_s=0.0), reason="late")
    assert "failback after kill" not in screen(report_of([back]))[1]
    assert "failback after kill: FAIL: late" in screen(report_of([moved("kill", 2.0), back]))[1]


def test_verbose_shows_what_has_no_room_in_a_second_table() -> None:
    _, out, err = screen(thorough(), verbose=True)
    assert "| Fault      |   p95 | Detection | Take-over | Dual-Active | No-Active |" in out
    assert "| partition  | 0.850 |     0.846 |     0.006 |       0.000 |     0.844 |" in out
    assert "not shown" not in err


def test_the_timeline_tells_both_nodes_at_once_from_a_move() -> None:
    hang = strip(moved("hang", 0.9, both_s=2.5), LETTERS, 60)
    assert hang.count("!") > 20
    back = strip(moved("failback", 0.0, back=True), LETTERS, 60)
    assert "".join(back) == "S" * 9 + "▼▶" + "F" * 49


def test_a_timeline_has_its_width_and_loses_no_gap() -> None:
    for width in (20, 57, 120):
        shown = strip(moved("kill", 0.013), LETTERS, width)
        assert len(shown) == width
        assert "·" in shown


def test_a_fault_long_before_the_move_is_left_out_of_the_picture() -> None:
    leg = moved("failback", 0.0, back=True)
    assert leg.insight.fault_at is not None
    healed = replace(leg.insight, fault_at=replace(leg.insight.fault_at, at_s=leg.start_s - 4), detection_s=5.0)
    slow = replace(leg, insight=healed)
    assert window(slow).length_s == pytest.approx(1.2)
    assert "▼" not in strip(slow, LETTERS, 60)
    assert "▶" in strip(slow, LETTERS, 60)


def test_cells_shorter_than_the_interval_are_not_empty() -> None:
    leg = replace(moved("failback", 0.0, back=True), end_s=501.3)
    shown = strip(leg, LETTERS, 120)
    assert window(leg).length_s / 120 < 0.01
    assert "".join(shown).strip("SF") == "▼▶"


def test_an_observer_that_stood_still_leaves_a_hole() -> None:
    leg = moved("kill", 0.1)
    assert leg.history is not None
    kept = tuple(echo for echo in leg.history.echoes if not 501.5 < echo.sent_s < 501.8)
    shown = "".join(strip(replace(leg, history=replace(leg.history, echoes=kept)), LETTERS, 60))
    assert re.fullmatch(r"F+▼·+▶·+S+ {10,15}S+", shown)
    assert filled((" ", "A", " ", "B", " ", " ", "B", " "), 1) == ("A", "A", "A", "B", " ", " ", "B", " ")


def test_no_fault_is_broken_in_two_to_make_room() -> None:
    legs = [moved("vrrp-block", 0.0, both_s=0.5, number=number) for number in (1, 2)]
    for width in (60, 80, 100, 120, 140, 160):
        out = screen(report_of(legs, rounds=2), width)[1]
        assert "| vrrp-block |" in out, width


def test_a_picture_ends_where_its_leg_does() -> None:
    leg = replace(moved("kill", 0.1), end_s=501.8)
    assert window(leg).last_s == 501.8
    assert window(replace(leg, end_s=501.1)).last_s == pytest.approx(501.0 + 0.4)
    assert strip(leg, LETTERS, 60)[-1] == "S"


def test_without_the_nodes_logs_the_outage_alone_is_shown() -> None:
    bare = [replace(leg, insight=Insight()) for leg in usual().legs]
    _, out, err = screen(report_of(bare))
    assert "▼" not in out
    assert "| Fault      | From      | To        | Outage | Bound | Verdict |" in out
    assert "not shown" not in err


def test_an_outage_that_had_not_ended_is_more_than_what_was_seen() -> None:
    leg = moved("kill", 10.0)
    assert leg.outage is not None
    assert leg.outage.open
    code, out, _ = screen(report_of([leg]))
    assert "| >2.950 | 0.930 |" in out
    assert code == 4


def test_a_run_without_legs_is_shown() -> None:
    report = replace(report_of([]), verdict=Verdict.FAIL, reason="the nodes do not agree on one Active")
    for width in (None, 80):
        assert screen(report, width)[1].splitlines()[-2:] == [
            "Pair ha_first-ha_second, VIP 10.200.51.2, asked every 10 ms from observer",
            "FAIL: the nodes do not agree on one Active",
        ]


def test_an_unknown_outage_is_no_outage_of_zero() -> None:
    lost = moved("stop", 0.03, lost="the connection broke")
    assert known_outage_s(lost) is None
    assert known_outage_s(replace(lost, verdict=Verdict.PASS)) == 0.0
    assert known_outage_s(replace(lost, verdict=Verdict.FAIL, history=None)) is None
    [group] = tallies([lost])
    assert group.outages is None


def test_rounds_of_one_fault_come_together_with_its_failbacks_behind() -> None:
    groups = tallies(thorough().legs)
    assert [(group.fault, group.label, len(group.legs)) for group in groups] == [
        ("partition", "partition", 3),
        ("partition", "failback", 3),
        ("hang", "hang", 3),
        ("hang", "failback", 3),
        ("stop", "stop", 1),
    ]
    assert [group.verdict for group in groups[::2]] == [Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN]


def test_programs_get_a_row_for_each_leg() -> None:
    code, out, _ = screen(thorough(), None, Style("json", ("Fault", "Leg", "Round", "Outage", "Verdict")))
    assert code == 4
    rows = json.loads(out)
    assert rows[0] == {"Fault": "partition", "Leg": "partition", "Round": 1, "Verdict": "PASS", "Outage": 0.75}
    assert rows[-1] == {"Fault": "stop", "Leg": "stop", "Round": 1, "Verdict": "UNKNOWN", "Outage": None}
    _, out, _ = screen(usual(), None, Style("value", ("Leg", "Outage", "Verdict")))
    assert out.splitlines()[:2] == ["stop PASS 0.03", "failback PASS 0.0"]
    _, out, _ = screen(usual(), None, Style("csv", ("Fault", "Verdict")))
    assert out.splitlines()[1:3] == ['"stop","PASS"', '"failback after stop","PASS"']


def test_no_number_that_is_none_reaches_a_program() -> None:
    leg = moved("stop", 0.03)
    odd = Outage(3, None, None, float("nan"), float("inf"), 0.01)
    _, out, _ = screen(report_of([replace(leg, outage=odd)]), None, Style("json", ("Outage", "Raw Gap")))
    assert json.loads(out) == [{"Outage": None, "Raw Gap": None}]


def test_a_name_cannot_move_the_cursor() -> None:
    leg = replace(moved("stop", 0.03), origin="evil\x1b[2J", names={"fa:16:3e:8d:dc:bb": "evil\x1b[2J"})
    made = Output()
    made.out = Console(file=io.StringIO(), force_terminal=True, width=80, soft_wrap=True)
    show_report(report_of([leg]), made, Style())
    assert isinstance(made.out.file, io.StringIO)
    assert "\x1b[2J" not in made.out.file.getvalue()


def test_samples_are_found_by_time() -> None:
    history = moved("stop", 0.0).history
    assert history is not None
    found = within(history.echoes, 500.995, 501.025)
    assert [echo.sent_s for echo in found] == pytest.approx([501.0, 501.01, 501.02])
    assert cells((), 0.0, 1.0, 3, {}) == (" ", " ", " ")
