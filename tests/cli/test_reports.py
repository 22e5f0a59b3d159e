"""What is written of a failover test: JSON held to its schema, JUnit, the page, raw samples, GitHub, the files."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml  # type: ignore[import-untyped]
from rich.console import Console

from haos.core.advice import advised
from haos.core.leg import Insight
from haos.core.outage import Outage, Verdict
from haos.core.probe import FlowEvent, Service, Try
from haos.core.report import FailoverReport
from haos.errors import HaosError, UsageError
from haos.view import github
from haos.view.console import Output
from haos.view.failover import show_report
from haos.view.files import append, check_writable, write_file
from haos.view.report_html import html
from haos.view.report_json import document
from haos.view.report_junit import junit
from haos.view.report_raw import COLUMNS, raw
from haos.view.style import Style
from tests.reports import FIRST, moved, renamed, report_of, thorough, usual

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "failover-report.schema.json").read_text())
NASTY = '<b>&"quoted"\'|*_ü\n::error::x'


def with_service() -> FailoverReport:
    """Return a report in which a service was asked and a connection held, both of which broke."""
    leg = moved("kill", 0.5)
    assert leg.history is not None
    tries = tuple(
        Try(at_s, None if 501.0 < at_s < 501.6 else at_s + 0.002, "refused" if 501.0 < at_s < 501.6 else "")
        for at_s in (500.5 + 0.1 * number for number in range(20))
    )
    flow = (FlowEvent(500.1, "open"), FlowEvent(501.2, "broken", "reset"))
    asked = Service("tcp:443", 443)
    history = replace(leg.history, service=asked, tries=tries, flow=flow)
    return replace(report_of([replace(leg, history=history)]), service=asked)


def bare() -> FailoverReport:
    """Return a report in which next to nothing is known."""
    leg = replace(moved("stop", 0.03), insight=Insight(), history=None, outage=None, names={}, end_s=0.0)
    report = report_of([leg])
    return replace(report, began_at=None, achieved_interval_s=None, method="", keepalived={}, faults=())


REPORTS: dict[str, Callable[[], FailoverReport]] = {
    "usual": usual,
    "thorough": thorough,
    "service": with_service,
    "bare": bare,
    "none": lambda: report_of([]),
}


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> FailoverReport:
    return advised(REPORTS[request.param]())


def closed(schema: Any) -> Any:
    """Return the schema with no key allowed that it does not name: what is written must be explained."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    return found | {"additionalProperties": False} if "required" in schema else found


def test_the_document_is_what_its_schema_says(report: FailoverReport) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(json.loads(json.dumps(document(report))))


def test_the_schema_refuses_what_is_no_report() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for path, value in ((("schema",), "haos/failover-test/2"), (("verdict",), "OK"), (("legs", 0, "outage_s"), "0")):
        wrong: Any = json.loads(json.dumps(document(usual())))
        where = wrong
        for key in path[:-1]:
            where = where[key]
        where[path[-1]] = value
        assert not validator.is_valid(wrong)


def test_keys_keep_the_order_of_the_schema(report: FailoverReport) -> None:
    found: Any = document(report)
    assert list(found) == list(SCHEMA["properties"])
    for leg in found["legs"]:
        assert list(leg) == list(SCHEMA["properties"]["legs"]["items"]["properties"])


def test_the_document_says_what_was_measured() -> None:
    found: Any = document(usual())
    kill = found["legs"][2]
    assert (kill["fault"], kill["outage_s"], kill["resolution_s"], kill["lost_probes"]) == ("kill", 0.71, 0.01, 71)
    assert kill["raw_gap_s"] == pytest.approx(0.72)
    assert kill["first_answer_s"] - kill["last_answer_s"] == pytest.approx(kill["raw_gap_s"])
    assert (kill["detection_s"], kill["takeover_s"], kill["clock_error_s"]) == (0.709, 0.006, 0.0015)
    assert kill["holders"]["nodes"]["ha_first"][0]["to_s"] == pytest.approx(kill["fault_at_s"] + 0.002)
    assert kill["holders"]["nodes"]["ha_second"][0]["to_s"] is None
    assert [one["node"] for one in kill["responders"]] == ["ha_first", "ha_second"]
    assert kill["probes"] == {"sent": 400, "lost": 71, "observer_lost": None}
    assert found["legs"][3]["outage_s"] == 0.0
    assert found["legs"][3]["resolution_s"] is None
    assert found["began_at"] == "2026-11-25T21:42:07Z"
    rounds: Any = document(thorough())
    assert rounds["faults"][0]["outage_s"] == {"count": 3, "min": 0.75, "median": 0.8, "p95": 0.85, "max": 0.85}
    assert rounds["faults"][-1]["outage_s"] is None
    assert rounds["legs"][-1]["outage_s"] is None


def test_service_and_connection_are_told() -> None:
    found: Any = document(with_service())
    [leg] = found["legs"]
    assert leg["service"]["probe"] == "tcp:443"
    assert leg["service"]["failures"] == {"refused": leg["service"]["failed"]}
    assert leg["service"]["tries"] == 20
    assert [event["what"] for event in leg["flow"]] == ["open", "broken"]


def test_infinity_and_nan_are_null() -> None:
    odd = Outage(3, None, None, float("nan"), float("inf"), float("inf"))
    report = report_of([replace(moved("stop", 0.03), outage=odd, bound_s=float("nan"))])
    text = json.dumps(document(report), allow_nan=False)
    assert '"raw_gap_s": null' in text


def output(report: FailoverReport, style: Style, **options: Any) -> tuple[int, str, str]:
    made = Output()
    made.out = Console(file=io.StringIO(), width=80, soft_wrap=True)
    made.err = Console(file=io.StringIO(), width=80, soft_wrap=True)
    code = show_report(report, made, style, **options)
    return code, made.out.file.getvalue(), made.err.file.getvalue()  # type: ignore[attr-defined]


def test_json_and_yaml_print_the_same_document() -> None:
    code, text, told = output(thorough(), Style("json"))
    assert (code, told) == (4, "")
    assert json.loads(text) == document(advised(thorough()))
    assert yaml.safe_load(output(thorough(), Style("yaml"))[1]) == json.loads(text)
    assert output(thorough(), Style("json", noindent=True))[1].count("\n") == 1


def test_junit_counts_what_it_holds(report: FailoverReport) -> None:
    tree = ElementTree.fromstring(junit(report))  # noqa: S314 - our own
    assert tree.tag == "testsuites"
    assert int(tree.attrib["tests"]) == len(tree.findall(".//testcase")) == len(report.legs)
    for tag, verdict in (("failure", Verdict.FAIL), ("error", Verdict.UNKNOWN)):
        expected = sum(leg.verdict is verdict for leg in report.legs)
        assert len(tree.findall(f".//testcase/{tag}")) == int(tree.attrib[f"{tag}s"]) == expected
    for suite in tree.findall("testsuite"):
        assert len(suite.findall("testcase")) == int(suite.attrib["tests"])
        names = [(case.attrib["classname"], case.attrib["name"]) for case in suite.findall("testcase")]
        assert len(set(names)) == len(names)


def test_junit_has_a_suite_for_each_fault_and_the_reasons() -> None:
    tree = ElementTree.fromstring(junit(thorough()))  # noqa: S314
    assert [suite.attrib["name"].split()[-1] for suite in tree] == ["partition", "hang", "stop"]
    [error] = tree.findall(".//error")
    assert error.attrib["message"] == "the observer was lost: the connection broke"
    assert tree.findall(".//failure")[0].attrib["message"].startswith("two nodes answered for the VIP at once")


def test_junit_survives_what_xml_cannot_hold() -> None:
    report = renamed(thorough(), "ha_first", f"{NASTY}\x00\x1b\ufffe")
    tree = ElementTree.fromstring(junit(report))  # noqa: S314
    assert '<b>&"quoted"' in (tree.findall(".//system-out")[0].text or "")


class Page(HTMLParser):
    """Reads a page and holds it to what it promises: well-formed, and nothing from elsewhere."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def page(report: FailoverReport) -> Page:
    read = Page()
    read.feed(html(report))
    read.close()
    assert read.open == []
    return read


def test_the_page_needs_nothing_else_and_runs_nothing(report: FailoverReport) -> None:
    text = html(report)
    read = page(report)
    assert not {"script", "link", "img", "iframe", "object", "use", "image"} & {tag for tag, _ in read.tags}
    assert not re.search(r"url\(|@import|javascript:|\bon\w+=", text)
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert len([tag for tag, _ in read.tags if tag == "figure"]) == len(report.legs)


def test_every_class_of_a_picture_has_a_colour() -> None:
    text = html(thorough()) + html(with_service())
    style = text.partition("<style>")[2].partition("</style>")[0]
    used = {name for names in re.findall(r'class="([^"]+)"', text) for name in names.split()}
    styled = set(re.findall(r"\.([\w-]+)", style))
    plain = {"l", "n0t", "n1t", "lostt", "somet"}  # a text in the colour of all texts
    assert used <= styled | plain


def pieces(text: str) -> Iterator[tuple[str, float, float, str]]:
    """Yield (class, x, width, title) of every stretch of a band."""
    for kind, x, width, title in re.findall(
        r'<rect class="(\w+)" x="([\d.]+)" y="\d+" width="([\d.]+)" height="\d+"><title>([^<]*)</title>', text
    ):
        yield kind, float(x), float(width), title


def test_a_picture_shows_answers_losses_holders_and_marks() -> None:
    text = html(report_of([moved("kill", 0.713)]))
    [lost, asked] = [piece for piece in pieces(text) if piece[0] == "lost"]
    assert lost[3] == "no answer: 0.710 s"
    assert asked[3] == "no answer: 0.700 s"
    names = [title.partition(":")[0] for kind, _, _, title in pieces(text) if kind in ("n0", "n1")]
    assert names.count("ha_first") == names.count("ha_second") == 3  # echoes, new clients, its own log
    labels = re.findall(r'<text class="l"[^>]*>([^<]*)</text>', text)
    assert labels == ["fault, bound 0.930 s", "VIP on ha_second", "first answer"]
    assert "<title>bound 0.930 s</title>" in text
    both = html(report_of([moved("hang", 0.9, both_s=2.5)]))
    assert any(kind == "both" for kind, *_ in pieces(both))


def test_pictures_stay_within_their_frame(report: FailoverReport) -> None:
    for _, x, width, _ in pieces(html(report)):
        assert 0 <= x <= 960
        assert width >= 1 or x + width <= 960


def test_a_service_and_a_connection_have_a_band() -> None:
    text = html(with_service())
    assert '>service</text><rect class="some"' in text
    assert ">connection</text>" in text


def test_thirty_six_moves_are_a_page_that_can_be_mailed() -> None:
    leg = moved("hang", 0.9, both_s=2.5)
    assert leg.history is not None
    turns = tuple(replace(echo, responder=FIRST if n % 2 else "x") for n, echo in enumerate(leg.history.echoes))
    flapping = replace(leg, history=replace(leg.history, echoes=turns))
    assert len(html(report_of([flapping] * 36, rounds=36))) < 300_000


def test_names_are_text_on_the_page() -> None:
    report = advised(renamed(thorough(), "ha_first", NASTY))
    read = page(replace(report, observer=NASTY, reason=NASTY, keepalived={NASTY: "2.2.7"}))
    assert "b" not in {tag for tag, attributes in read.tags if "class" not in attributes}
    assert any('<b>&"quoted"' in text for text in read.text)


def rows(report: FailoverReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw(report))))


def test_raw_holds_every_sample_once() -> None:
    report = thorough()
    found = rows(report)
    assert list(found[0]) == list(COLUMNS)
    echoes = [row for row in found if row["kind"] == "echo"]
    assert len(echoes) == sum(len(leg.history.echoes) for leg in report.legs if leg.history)
    assert len({row["at_s"] for row in echoes}) == len(echoes)


def test_one_run_that_several_moves_share_is_not_repeated() -> None:
    over, back = moved("kill", 0.5), moved("failback", 0.0, fault="kill", back=True, start_s=504.0)
    assert over.history is not None
    assert back.history is not None
    whole = replace(back.history, echoes=over.history.echoes + back.history.echoes)
    early = replace(whole, echoes=whole.echoes[:500], now_s=505.0)
    report = report_of([replace(over, history=early), replace(back, history=whole)])
    echoes = [row for row in rows(report) if row["kind"] == "echo"]
    assert len(echoes) == len({row["at_s"] for row in echoes}) == 800
    assert [row["leg"] for row in echoes].count("1") == 400
    times = [float(row["at_s"]) for row in echoes]
    assert times == sorted(times)


def test_a_clock_that_began_anew_loses_no_sample() -> None:
    report = report_of([moved("kill", 0.5, start_s=900.0), moved("kill", 0.5, start_s=10.0, number=2)], rounds=2)
    assert sum(row["kind"] == "echo" for row in rows(report)) == 800


def test_raw_names_who_answered_and_what_the_nodes_wrote() -> None:
    found = rows(with_service())
    by_kind = {kind: [row for row in found if row["kind"] == kind] for kind in {row["kind"] for row in found}}
    assert set(by_kind) == {"echo", "ask", "try", "flow", "mark", "fault", "held"}
    assert by_kind["echo"][0]["node"] == "ha_first"
    assert by_kind["echo"][0]["answered_s"] == "500.000400"
    assert {row["note"] for row in by_kind["try"]} == {"", "refused"}
    assert by_kind["flow"][1]["note"] == "broken reset"
    assert by_kind["fault"][0]["note"] == "fault (± 0.001500 s)"
    assert "ha_second has the VIP (± 0.001500 s)" in {row["note"] for row in by_kind["held"]}
    [lost] = {row["mac"] for row in by_kind["echo"] if not row["answered_s"]}
    assert lost == ""


def test_every_column_and_kind_is_documented() -> None:
    text = (DOCS / "failover-report.md").read_text()
    for name in (*COLUMNS, "echo", "ask", "try", "flow", "mark", "fault", "held"):
        assert f"`{name}`" in text, name


def test_github_is_told_in_its_own_words() -> None:
    report = replace(advised(thorough()), pair=replace(thorough().pair, name="a,b:c"))
    lines = list(github.commands(report))
    assert lines[0].startswith("::error title=a%2Cb%3Ac%3A hang%2C round 1%3A FAIL::ha_first -> ha_second: two nodes")
    assert sum(line.startswith("::error ") for line in lines) == 4
    assert sum(line.startswith("::warning ") for line in lines) == len(report.advice)
    nasty = list(github.commands(renamed(report, "ha_first", "x\n::set-env::100%")))
    assert all("\n" not in line for line in nasty)
    assert "x%0A::set-env::100%25" in nasty[0]


def test_githubs_table_shows_names_as_they_are() -> None:
    text = github.summary(renamed(thorough(), "ha_first", "a|b<script>*"))
    [row, *_] = [line for line in text.splitlines() if line.startswith("| partition, round 1")]
    assert row.startswith(r"| partition, round 1 | a\|b&lt;script&gt;\* | ha\_second | outage 0.750 s")
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert text.startswith("### ❌ haos failover-test ha\\_first-ha\\_second: FAIL\n")


def test_annotations_come_where_github_runs_it_and_nowhere_else(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    there = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    _, out, err = output(thorough(), Style("json"), environ=there)
    assert json.loads(out)["schema"] == "haos/failover-test/1"
    assert err.startswith("::error title=")
    assert summary.read_text().startswith("before\n### ❌ haos failover-test")
    assert "::" not in output(thorough(), Style("json"), environ={"GITHUB_STEP_SUMMARY": str(summary)})[2]
    assert summary.read_text().count("###") == 1


def test_no_name_in_an_annotation_moves_the_cursor() -> None:
    report = renamed(thorough(), "ha_first", "x\x1b[2Ay")
    told = output(report, Style("json"), environ={"GITHUB_ACTIONS": "true"})[2]
    assert "x [2Ay -> ha_second" in told
    assert "\x1b" not in told


def test_all_files_are_written_beside_the_screen(tmp_path: Path) -> None:
    files = {"junit": tmp_path / "j.xml", "html": tmp_path / "r.html", "raw": tmp_path / "r.csv"}
    code, out, _ = output(usual(), Style(), environ={}, **files)
    assert code == 0
    assert "PASS: 10.200.51.2 answers from ha_first" in out
    assert ElementTree.parse(files["junit"]).getroot().tag == "testsuites"  # noqa: S314
    assert files["html"].read_text(encoding="utf-8") == html(advised(usual()))
    assert files["raw"].read_text() == raw(usual())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["j.xml", "r.csv", "r.html"]


def test_a_file_that_cannot_be_written_costs_neither_the_screen_nor_the_others(tmp_path: Path) -> None:
    made = Output()
    made.out = Console(file=io.StringIO(), width=80, soft_wrap=True)
    gone, there = tmp_path / "gone" / "j.xml", tmp_path / "r.html"
    with pytest.raises(HaosError, match=r"cannot write .*j\.xml: No such file or directory"):
        show_report(usual(), made, Style(), junit=gone, html=there, environ={})
    assert "PASS" in made.out.file.getvalue()  # type: ignore[attr-defined]
    assert there.exists()


def test_files_have_the_mode_that_the_user_gives_and_replace_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.write_text("old")
    before = os.umask(0o027)
    try:
        write_file(path, "±")
    finally:
        os.umask(before)
    assert path.read_bytes() == "±".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_goes_on_leading_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "real" / "r.html")
    check_writable([link])
    write_file(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "r.html").read_text() == "new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_file(pipe, "text")
    reader.join(10)
    assert read == ["text"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_cannot_be_written_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    there = tmp_path / "r.html"
    check_writable([there, tmp_path / "j.xml"])
    assert list(tmp_path.iterdir()) == []
    for paths, reason, hint in (
        ([tmp_path / "no" / "r.html"], "its folder is not there", f"mkdir -p {tmp_path}/no"),
        ([tmp_path], "is a folder", "name a file in it"),
        ([there, tmp_path / "." / "r.html"], "was named twice", "each report needs a file of its own"),
        ([Path("/proc/r.html")], "cannot write /proc/r.html", "name a file elsewhere"),
        ([tmp_path / ("r" * 300)], "File name too long", "name a file elsewhere"),
    ):
        with pytest.raises(UsageError, match=reason) as caught:
            check_writable(paths)
        assert caught.value.hint == hint


def test_a_file_that_is_there_is_not_touched_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.write_text("old")
    check_writable([path])
    assert path.read_text() == "old"
    append(path, "!")
    assert path.read_text() == "old!"
    with pytest.raises(HaosError, match="cannot write"):
        append(tmp_path / "no" / "r.html", "x")


def test_the_report_itself_is_not_changed_by_being_shown(report: FailoverReport) -> None:
    before = copy.deepcopy(report)
    document(report), junit(report), html(report), raw(report), github.summary(report)
    assert report == before
