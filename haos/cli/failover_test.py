"""`haos failover-test`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from haos.cli.create_options import PROBE_HELP
from haos.cli.durations import Duration
from haos.cli.options import Command, Settings, common_options, list_options, option, pair_argument, ssh_options
from haos.cli.plan_options import BEHAVIOUR
from haos.view.style import Style
from haos.workflow.faults import DEFAULT, FAULTS

if TYPE_CHECKING:
    from haos.core.report import FailoverReport

MEASUREMENT, RESULT = "What is done and asked for", "Files"
FILE: click.ParamType[Path] = click.Path(dir_okay=False, path_type=Path)
NAMES = (*FAULTS, "all")


@click.command(cls=Command)
@pair_argument
@option(
    "--fault",
    "faults",
    section=MEASUREMENT,
    multiple=True,
    type=click.Choice(NAMES),
    metavar="FAULT",
    help=f"What to do to the Active node, may be repeated: {', '.join(NAMES)} (default: {', '.join(DEFAULT)}).",
)
@option("--rounds", section=MEASUREMENT, type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N",
        help="How often every fault is made.")  # fmt: skip
@option("--max-outage", "max_outage_s", section=MEASUREMENT, type=Duration(0.0),
        help="Fail if the VIP is gone for longer, whatever its bound; or the service that --probe asks.")  # fmt: skip
@option("--max-dual-active", "max_dual_active_s", section=MEASUREMENT, type=Duration(0.0), default="2s",
        show_default=True, help="Fail if two nodes answer for the VIP at once for longer.")  # fmt: skip
@option("--interval", "interval_s", section=MEASUREMENT, type=Duration(0.002, 0.2), default="10ms", show_default=True,
        help="Time between two probes: the resolution of every outage.")  # fmt: skip
@option("--probe", section=MEASUREMENT, metavar="SPEC", help=PROBE_HELP)
@option("--flow", section=MEASUREMENT, metavar="tcp:PORT",
        help="Hold a TCP connection open too, and tell how long a client with one was without.")  # fmt: skip
@option("--pause", "pause_s", section=MEASUREMENT, type=Duration(0.0, 3600.0), default="1s", show_default=True,
        help="Time between two faults.")  # fmt: skip
@option("--observer", section=MEASUREMENT, metavar="INSTANCE",
        help="Instance to measure from (default: the one named or tagged 'observer').")  # fmt: skip
@option("--allow-collateral", section=BEHAVIOUR, is_flag=True,
        help="Hit the other VRRP instances of the nodes too, where there are any.")  # fmt: skip
@option("--force", section=BEHAVIOUR, is_flag=True, help="Go on where no Backup is ready to take over.")
@option("-y", "--yes", section=BEHAVIOUR, is_flag=True, help="Do not ask before the first fault.")
@option("--dry-run", section=BEHAVIOUR, is_flag=True, help="Show what would be done, and what guards it.")
@option("--restore", section=BEHAVIOUR, is_flag=True,
        help="Undo what a failover-test that died has left, and inject nothing.")  # fmt: skip
@option("--report", "html", section=RESULT, type=FILE, metavar="FILE.html",
        help="Write a page with a picture of every move.")  # fmt: skip
@option("--junit", section=RESULT, type=FILE, metavar="FILE.xml", help="Write the result as JUnit XML, for CI.")
@option("--raw", section=RESULT, type=FILE, metavar="FILE", help="Write every single probe.")
@list_options
@ssh_options
@common_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    pair: str | None,
    yes: bool,
    dry_run: bool,
    restore: bool,
    html: Path | None,
    junit: Path | None,
    raw: Path | None,
    style: Style,
    **options: Any,
) -> int:
    """Inject faults and measure the outage from the observer.

    Each fault hits the Active node; the observer asks the VIP all the time. Every outage is compared with the bound
    that VRRP's timers predict. The node is restored whatever happens: by haos, or by a guard that was set before
    the fault and outlives haos.

    \b
    Examples:
      haos failover-test
      haos failover-test --fault partition --rounds 10 --max-outage 1s --report failover.html
    """
    from haos.cli.asking import confirm_changes
    from haos.cli.create_options import split_ssh
    from haos.cli.session import session
    from haos.core.service_probe import parse_service
    from haos.view.failover import LEG_COLUMNS, show_report
    from haos.view.failover_plan import COLUMNS as PLAN_COLUMNS
    from haos.view.failover_plan import show_dry_run, show_plan
    from haos.view.files import check_writable
    from haos.view.formats import refuse_unknown
    from haos.workflow.failover import failover_test, plan_failover
    from haos.workflow.request import FailoverRequest

    wanted, ssh = split_ssh(options)
    if restore:
        return restore_pair(settings, pair, ssh, injects=bool(wanted["faults"]))
    service = parse_service(wanted.pop("probe"), wanted.pop("flow"))
    request = FailoverRequest(pair, service=service, **wanted)
    refuse_unknown(PLAN_COLUMNS if dry_run else LEG_COLUMNS, style)
    check_writable([path for path in (html, junit, raw) if path])
    with session(settings, ssh) as run:
        plan = plan_failover(request, run.context)
        if dry_run:
            return show_dry_run(plan, run.console, style)
        show_plan(plan, run.console)
        confirm_changes(yes=yes)

        def show(report: FailoverReport) -> int:
            console, verbose = run.console, run.verbose
            return show_report(report, console, style, verbose=verbose, junit=junit, html=html, raw=raw)

        run.remember(plan.pair.name)
        return show(failover_test(plan, run.context, salvage=show))


def restore_pair(settings: Settings, pair: str | None, ssh: Mapping[str, Any], *, injects: bool) -> int:
    """Undo what is left of an earlier run."""
    from haos.cli.session import session
    from haos.errors import UsageError
    from haos.view.result import show_restored
    from haos.workflow.restore import restore

    if injects:
        raise UsageError("--restore and --fault contradict each other", hint="first --restore, then the faults")
    with session(settings, ssh) as run:
        return show_restored(restore(pair, run.context), run.console)
