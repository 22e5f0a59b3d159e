"""`haos repair`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from haos.cli.create_options import BEHAVIOUR
from haos.cli.options import (
    Command,
    Settings,
    as_names,
    common_options,
    option,
    pair_argument,
    show_options,
    ssh_options,
)
from haos.view.style import Style

if TYPE_CHECKING:
    from haos.cli.session import Run
    from haos.workflow.rebuild import RebuiltRecord

RECORD = "A record that was lost"


@click.command(cls=Command)
@pair_argument
@option("--observer", metavar="INSTANCE", help="Instance to look from (default: the one named 'observer').")
@option(
    "--rebuild-record",
    section=RECORD,
    is_flag=True,
    help="First write the record anew, as the nodes and the cloud know the pair: it was edited, or its port deleted.",
)
@option("--network", section=RECORD, metavar="NETWORK", help="Network that the pair is on, name or id.")
@option(
    "--nodes",
    section=RECORD,
    callback=as_names,
    metavar="A,B[,C...]",
    help="All of its nodes, names or ids: haos logs in to no other.",
)
@option("--as-on", section=RECORD, metavar="INSTANCE", help="The node whose word counts, where they differ.")
@option("--no-verify", section=BEHAVIOUR, is_flag=True, help="Do not wait until the VIP is seen to answer.")
@option(
    "--verify-failover",
    section=BEHAVIOUR,
    is_flag=True,
    help="Try a failover and a failback afterwards; without it the VIP is not moved.",
)
@option("-y", "--yes", section=BEHAVIOUR, is_flag=True, help="Do not ask before anything is changed.")
@option("--dry-run", section=BEHAVIOUR, is_flag=True, help="Show what would be done and change nothing.")
@option("--exit-code", section=BEHAVIOUR, is_flag=True, help="With --dry-run: exit 3 if there is something to do.")
@option(
    "--explain",
    section=BEHAVIOUR,
    is_flag=True,
    help="Print the openstack and ssh commands that do the same by hand, and change nothing.",
)
@ssh_options
@show_options
@common_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    pair: str | None,
    observer: str | None,
    rebuild_record: bool,
    network: str | None,
    nodes: tuple[str, ...] | None,
    as_on: str | None,
    no_verify: bool,
    verify_failover: bool,
    yes: bool,
    dry_run: bool,
    exit_code: bool,
    explain: bool,
    style: Style,
    **ssh: Any,
) -> int:
    """Bring a pair back to what its record says.

    Puts back what is gone or was changed, in the cloud and on the nodes: address pairs, rules, the security group,
    files, the package, the daemon, the floating IP's way; undoes what a failover-test or a switchover that died has
    left; takes a rebuilt node in again. Backups first, and the VIP stays where it is. What others do beside the pair
    is left alone. What cannot be repaired is said, with why and the command that helps (exit 5).

    \b
    Examples:
      haos repair
      haos repair web --dry-run -v
      haos repair web --rebuild-record --network web_net --nodes web1,web2
    """
    if not rebuild_record and (network or nodes or as_on):
        raise click.UsageError("--network, --nodes and --as-on go with --rebuild-record")
    if rebuild_record and not (network and nodes):
        raise click.UsageError("--rebuild-record goes with --network and --nodes")
    if exit_code and not dry_run:
        raise click.UsageError("--exit-code goes with --dry-run")
    if no_verify and verify_failover:
        raise click.UsageError("--no-verify and --verify-failover contradict each other; leave one of them out")
    from haos.cli.asking import confirm_changes
    from haos.cli.session import session
    from haos.view.explain_repair import show_repair_explanation
    from haos.view.formats import refuse_unknown
    from haos.view.repair import COLUMNS, EXIT_BEYOND, show_repair_plan, show_repaired
    from haos.workflow.repair import prepare, repair

    refuse_unknown(COLUMNS, style)
    with session(settings, ssh) as run:
        if network and nodes:
            ended = _rebuild(pair, network, nodes, as_on, run, style, yes=yes, dry_run=dry_run, explain=explain)
            if dry_run or explain:
                return 3 if exit_code and ended.changes else 0
            pair = ended.pair.name
        prepared = prepare(pair, observer, run.context, verify=not no_verify, verify_failover=verify_failover)
        run.remember(prepared.pair.name)
        if explain:
            return show_repair_explanation(prepared, run.console, run.logins(prepared.place.nodes))
        show_repair_plan(prepared, run.console, style, verbose=run.verbose)
        if dry_run:
            return EXIT_BEYOND if prepared.beyond else 3 if exit_code and prepared.steps else 0
        if prepared.steps:
            confirm_changes(yes=yes)
        repaired = repair(
            prepared, run.context, lambda again: show_repair_plan(again, run.console, style, verbose=run.verbose)
        )
        return show_repaired(repaired, run.console, style)


def _rebuild(
    pair: str | None,
    network: str,
    nodes: tuple[str, ...],
    as_on: str | None,
    run: Run,
    style: Style,
    *,
    yes: bool,
    dry_run: bool,
    explain: bool,
) -> RebuiltRecord:
    """Write the record anew, unless that is only to be shown; returns what was planned."""
    from haos.cli.asking import confirm_changes
    from haos.view.rebuild import show_rebuild_explanation, show_rebuild_plan
    from haos.workflow.rebuild import plan_record, rebuild

    planned = plan_record(pair, network, nodes, run.context, as_on=as_on)
    if explain:
        show_rebuild_explanation(planned, run.console)
        return planned
    show_rebuild_plan(planned, run.console, style)
    if planned.changes and not dry_run:
        confirm_changes(yes=yes)
        rebuild(planned, run.context)
    return planned
