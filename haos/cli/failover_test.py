"""`haos failover-test`."""

from __future__ import annotations

from typing import Any

import click

from haos.cli.options import Command, Settings, common_options, option, pair_argument, ssh_options

FAULTS = ("withdraw", "stop", "all")
"""Must be what haos.workflow.faults knows (tests/cli); written out so that --help imports nothing."""


@click.command(cls=Command)
@pair_argument
@option(
    "--fault",
    "faults",
    multiple=True,
    type=click.Choice(FAULTS),
    help="Fault to inject on the Active node; may be given several times (default: all).",
)
@option("--observer", metavar="INSTANCE", help="Instance to measure from (default: the one named 'observer').")
@ssh_options
@common_options
@click.pass_obj
def command(
    settings: Settings, /, pair: str | None, faults: tuple[str, ...], observer: str | None, **ssh: Any
) -> int:
    """Inject faults and measure the outage from the observer.

    Each fault hits the Active node; the observer asks the VIP every 10 ms throughout. The outage is compared with
    the bound that VRRP's timers predict. The node is restored whatever happens.

    \b
    Example:
      haos failover-test --fault stop
    """
    from haos.cli.session import session
    from haos.view.result import show_report
    from haos.workflow.failover import failover_test

    with session(settings, ssh) as run:
        report = failover_test(pair, faults, observer, run.context)
        return show_report(report, run.console)
