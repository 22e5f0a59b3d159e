"""`haos teardown`."""

from __future__ import annotations

from typing import Any

import click

from haos.cli.options import Command, Settings, common_options, option, pair_argument, ssh_options


@click.command(cls=Command)
@pair_argument
@option("--purge", is_flag=True, help="Remove the keepalived package too, where haos installed it.")
@option("--dry-run", is_flag=True, help="Show what would be removed and change nothing.")
@ssh_options
@common_options
@click.pass_obj
def command(settings: Settings, /, pair: str | None, purge: bool, dry_run: bool, **ssh: Any) -> int:
    """Remove exactly what haos added, everywhere.

    Files, drop-in and include line on the nodes, address pairs and security group on their ports, and last the
    reservation of the VIP. What was there before stays. Safe to repeat.

    \b
    Example:
      haos teardown --purge
    """
    from haos.cli.session import session
    from haos.view.result import show_removal_plan, show_torn_down
    from haos.workflow.teardown import plan_teardown, teardown

    with session(settings, ssh) as run:
        if dry_run:
            return show_removal_plan(plan_teardown(pair, purge=purge, ctx=run.context), run.console)
        torn = teardown(pair, purge=purge, ctx=run.context)
        run.forget(torn.pair.name)
        return show_torn_down(torn, run.console)
