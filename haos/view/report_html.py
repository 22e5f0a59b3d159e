"""A failover test as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib import resources

from haos.core import vrrp
from haos.core.report import FailoverReport
from haos.view.failover_table import chosen_columns
from haos.view.nodes import leg_name, nodes_of
from haos.view.outage_text import outage_text
from haos.view.report_json import stamp
from haos.view.svg import legend, picture
from haos.view.tally import Tally, tallies

ALL = 10_000
"""So wide that every column has room."""
FIRST = ("Fault", "Verdict")
TOLD_BELOW = ("From", "To")


def html(report: FailoverReport) -> str:
    """Return the page."""
    title = f"Failover of {report.pair.vip} ({report.pair.name})"
    # A page that is opened from a mail or a CI's artifacts may load nothing, whatever a name in it holds.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_style()}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict {report.verdict}">{report.verdict}: {escape(report.reason)}</p>',
    ]
    return "\n".join([*head, *_facts(report), *_table(report), *_advice(report), *_legs(report), "</body></html>\n"])


def _style() -> str:
    return resources.files("haos.view").joinpath("report.css").read_text(encoding="utf-8")


def _facts(report: FailoverReport) -> Iterator[str]:
    pair, timing = report.pair, report.pair.timing
    achieved_s = report.achieved_interval_s
    achieved = f", achieved {achieved_s * 1000:.1f} ms" if achieved_s is not None else ""
    method = f" ({report.method})" if report.method else ""
    facts = {
        "began": stamp(report.began_at) or "not noted",
        "measured from": f"{report.observer}{method}, every {report.interval_s * 1000:g} ms{achieved}",
        "pair": f"VRID {pair.vrid}, mode {pair.mode}, advertisements every {timing.advertisement_interval_s:g} s, "
        f"{'preempt' if timing.preempt else 'nopreempt'}{', BFD' * timing.bfd}",
        "asked for": f"{', '.join(report.faults)}; {report.rounds} round{'s' * (report.rounds > 1)}{_limits(report)}",
        "keepalived": ", ".join(f"{node} {version}" for node, version in report.keepalived.items()) or "not noted",
    }
    yield "<dl>" + "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items()) + "</dl>"


def _limits(report: FailoverReport) -> str:
    limits = [f"; outage at most {report.max_outage_s:g} s"] if report.max_outage_s is not None else []
    service = report.service
    limits += [f"; service {service.probe}"] if service.probe else []
    return "".join(limits + ([f"; a connection to port {service.flow}"] if service.flow else []))


def _table(report: FailoverReport) -> Iterator[str]:
    groups = tallies(report.legs)
    found, _ = chosen_columns(groups, ALL)
    columns = {name: found[name] for name in (*FIRST, *(each for each in found if each not in (*FIRST, *TOLD_BELOW)))}
    yield '<h2>Outages, in seconds</h2><div class="wide"><table><thead><tr>'
    yield "".join(f"<th{_kind(name)}>{name}</th>" for name in columns) + "</tr></thead><tbody>"
    for group, row in zip(groups, zip(*columns.values(), strict=True), strict=True):
        cells = "".join(
            f"<td{_kind(name, group)}>{escape(group.label if name == 'Fault' else cell)}</td>"
            for name, cell in zip(columns, row, strict=True)
        )
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table></div>"
    yield (
        f'<p class="dim">The outage is the send time of the first answered probe after the gap, minus that of the '
        f"last before it, minus one interval. A verdict lets {vrrp.MARGIN_S:g} s more pass than the bound. Of the "
        "times at the right of it the longest of all rounds is shown; detection, take-over, dual-Active and "
        "no-Active time are by the nodes' own logs.</p>"
    )


def _kind(name: str, group: Tally | None = None) -> str:
    """Return the class of a cell, as an attribute."""
    kinds = ["w"] if name in FIRST else []
    if group is not None:
        kinds += ["back"] if name == "Fault" and group.is_failback else []
        kinds += [str(group.verdict)] if name == "Verdict" else []
    return f' class="{" ".join(kinds)}"' if kinds else ""


def _advice(report: FailoverReport) -> Iterator[str]:
    if report.advice:
        yield "<h2>Good to know</h2><ul>"
        for one in report.advice:
            hint = f' <span class="dim">{escape(one.hint)}</span>' if one.hint else ""
            yield f"<li>{escape(one.text)}.{hint}</li>"
        yield "</ul>"


def _legs(report: FailoverReport) -> Iterator[str]:
    nodes = nodes_of(report)
    yield f'<h2>Every move</h2><p class="dim">{legend(nodes)}</p>'
    for leg in report.legs:
        name = leg_name(leg, report)
        told = f"{name}: {leg.origin} → {leg.target}: {outage_text(leg)}"
        yield "<figure>"
        yield f'<figcaption>{escape(told)} <b class="{leg.verdict}">{leg.verdict}</b>'
        yield f'<br><span class="dim">{escape(leg.reason)}</span></figcaption>'
        yield picture(leg, nodes, told) or "<p>Nobody measured from outside.</p>"
        yield "</figure>"
