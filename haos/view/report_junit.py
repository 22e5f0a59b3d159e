"""A failover test as JUnit XML: a suite for each fault, a case for each move; UNKNOWN is an error, not a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from haos.core.leg import Leg
from haos.core.outage import Verdict
from haos.core.report import FailoverReport
from haos.view.outage_text import outage_text
from haos.view.report_json import end_of, stamp
from haos.view.tally import fault_of

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write, escaped or not (section 2.2)."""


def junit(report: FailoverReport) -> str:
    """Return the document."""
    return _FORBIDDEN.sub("\ufffd", "\n".join(_lines(report)) + "\n")


def _lines(report: FailoverReport) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f"<testsuites name={quoteattr(f'haos failover-test {report.pair.name}')} {_counts(report.legs)}>"
    for fault in dict.fromkeys(map(fault_of, report.legs)):
        yield from _suite(fault, [leg for leg in report.legs if fault_of(leg) == fault], report)
    yield "</testsuites>"


def _suite(fault: str, legs: list[Leg], report: FailoverReport) -> Iterator[str]:
    began = stamp(report.began_at)
    when = f" timestamp={quoteattr(began.removesuffix('Z'))}" if began else ""
    yield f"  <testsuite name={quoteattr(f'{report.pair.name} {fault}')} {_counts(legs)}{when}>"
    yield "    <properties>"
    for name, value in (("vip", report.pair.vip), ("observer", report.observer), ("method", report.method)):
        yield f"      <property name={quoteattr(name)} value={quoteattr(str(value))}/>"
    yield "    </properties>"
    for leg in legs:
        yield from _case(leg, report)
    yield "  </testsuite>"


def _case(leg: Leg, report: FailoverReport) -> Iterator[str]:
    name = f"{leg.label}, round {leg.round}" if report.rounds > 1 else leg.label
    where = quoteattr(f"haos.{report.pair.name}.{fault_of(leg)}")
    yield f"    <testcase classname={where} name={quoteattr(name)} time={quoteattr(_took(leg))}>"
    kind = {Verdict.FAIL: "failure", Verdict.UNKNOWN: "error"}.get(leg.verdict)
    if kind is not None:
        yield f"      <{kind} type={quoteattr(str(leg.verdict))} message={quoteattr(leg.reason)}/>"
    text = f"{leg.origin} -> {leg.target}: {outage_text(leg)}"
    yield f"      <system-out>{escape(text)}</system-out>"
    yield "    </testcase>"


def _counts(legs: tuple[Leg, ...] | list[Leg]) -> str:
    failures, errors = (sum(leg.verdict is one for leg in legs) for one in (Verdict.FAIL, Verdict.UNKNOWN))
    took_s = sum(float(_took(leg)) for leg in legs)
    return f'tests="{len(legs)}" failures="{failures}" errors="{errors}" skipped="0" time="{took_s:.3f}"'


def _took(leg: Leg) -> str:
    return f"{max(0.0, end_of(leg) - leg.start_s):.3f}"
