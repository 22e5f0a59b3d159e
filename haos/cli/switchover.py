"""`haos switchover`."""

from __future__ import annotations

from typing import Any

import click

from haos.cli.options import Command, Settings, common_options, option, pair_argument, show_options, ssh_options
from haos.view.style import Style


@click.command(cls=Command)
@pair_argument
@option("--to", metavar="NODE", help="Node that shall have the VIP (default: the best Backup).")
@option("--back", is_flag=True, help="To the node where the VIP lived when the pair was made.")
@option(
    "--observer", metavar="INSTANCE", help="Instance that counts lost probes (default: the one named 'observer')."
)
@option("-y", "--yes", is_flag=True, help="Do not ask before the VIP is moved.")
@option("--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@ssh_options
@show_options
@common_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    pair: str | None,
    to: str | None,
    back: bool,
    observer: str | None,
    yes: bool,
    dry_run: bool,
    style: Style,
    **ssh: Any,
) -> int:
    """Move the VIP to another node, as planned work, with no lost probe.

    The target's priority is raised without a reload, it takes over, and then the priorities of the two nodes are
    exchanged, so that the VIP stays there. What fails is undone; what is killed is finished by the same command.

    \b
    Examples:
      haos switchover
      haos switchover web --to web2
      haos switchover web --back
    """
    if back and to is not None:
        raise click.UsageError("--to and --back say where to, both; leave one of them out")
    from haos.cli.asking import confirm_changes
    from haos.cli.session import session
    from haos.view.formats import refuse_unknown
    from haos.view.switchover import COLUMNS, show_move, show_switched
    from haos.workflow.switchover import Switched, prepare, switchover

    refuse_unknown(COLUMNS, style)
    with session(settings, ssh) as run:
        prepared = prepare(pair, to, back=back, observer_ref=observer, ctx=run.context)
        run.remember(prepared.move.before.name)
        show_move(prepared, run.console, style)
        if dry_run:
            return show_switched(Switched(prepared.move, None, None), run.console, style)
        if not prepared.move.nothing_to_do:
            confirm_changes(yes=yes)
        return show_switched(switchover(prepared, run.context), run.console, style)
