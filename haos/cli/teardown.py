"""`haos teardown`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from haos.cli.options import Command, Settings, common_options, option, pair_argument, ssh_options
from haos.cli.plan_options import BEHAVIOUR, removal_options

if TYPE_CHECKING:
    from haos.cli.session import Run


@click.command(cls=Command)
@pair_argument
@option(
    "--purge", section=BEHAVIOUR, is_flag=True, help="Remove the keepalived package too, where haos installed it."
)
@option(
    "--force",
    section=BEHAVIOUR,
    is_flag=True,
    help="Skip nodes that cannot be reached, and list what stays on them; without it their pair is not released.",
)
@removal_options
@ssh_options
@common_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    pair: str | None,
    purge: bool,
    force: bool,
    yes: bool,
    dry_run: bool,
    explain: bool,
    **ssh: Any,
) -> int:
    """Remove exactly what haos added, everywhere.

    Files, drop-in and include line on the nodes, address pairs and security group on their ports, the floating IP,
    and last the reservation of the VIP. What was there before stays. Safe to repeat.

    \b
    Example:
      haos teardown --purge
    """
    from haos.cli.asking import confirm_changes, on_terminal
    from haos.cli.session import session
    from haos.view.result import show_removal_plan, show_torn_down
    from haos.workflow.teardown import plan_teardown, teardown

    with session(settings, ssh) as run:
        if explain:
            return show_by_hand(pair, run, purge=purge)
        if dry_run or (on_terminal() and not yes):
            planned = show_removal_plan(plan_teardown(pair, purge=purge, ctx=run.context), run.console)
            if dry_run:
                return planned
            confirm_changes(yes=yes)
        torn = teardown(pair, purge=purge, ctx=run.context, force=force)
        run.forget(torn.pair.name)
        return show_torn_down(torn, run.console)


def show_by_hand(pair: str | None, run: Run, *, purge: bool) -> int:
    """Print the script that takes a pair away."""
    from haos.view.explain_removal import Belongings, show_removal_explanation
    from haos.workflow.floating import look_at_removal
    from haos.workflow.resolve import find_pair, pair_nodes
    from haos.workflow.teardown import find_group

    found, port = find_pair(run.context.cloud, pair)
    nodes, ports = pair_nodes(run.context.cloud, found)
    group = find_group(found, run.context)
    floating = look_at_removal(found, run.context.cloud)
    there = Belongings(found, port, tuple(nodes.values()), ports, group, purge, floating)
    return show_removal_explanation(there, run.console, run.logins(nodes.values()))
