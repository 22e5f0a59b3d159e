"""`haos repair`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from haos.cli.create_options import split_ssh
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
from haos.cli.plan_options import BEHAVIOUR, plan_options
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
@plan_options
@ssh_options
@show_options
@common_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    style: Style,
    **options: Any,
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
    from haos.cli.session import session
    from haos.view.formats import refuse_unknown
    from haos.view.repair import COLUMNS

    others, ssh = split_ssh(options)
    said = _Said(style=style, **others)
    said.refuse_contradictions()
    refuse_unknown(COLUMNS, style)
    with session(settings, ssh) as run:
        pair = said.pair
        if said.rebuild_record:
            ended = _rebuild(said, run)
            if said.dry_run or said.explain:
                return 3 if said.exit_code and ended.changes else 0
            pair = ended.pair.name
        return _repair(pair, said, run)


@dataclass(frozen=True)
class _Said:
    """What was said on the command line."""

    style: Style
    pair: str | None
    observer: str | None
    rebuild_record: bool
    network: str | None
    nodes: tuple[str, ...] | None
    as_on: str | None
    no_verify: bool
    verify_failover: bool
    yes: bool
    dry_run: bool
    exit_code: bool
    explain: bool

    def refuse_contradictions(self) -> None:
        """Raise click.UsageError for options that do not go with each other."""
        if not self.rebuild_record and (self.network or self.nodes or self.as_on):
            raise click.UsageError("--network, --nodes and --as-on go with --rebuild-record")
        if self.rebuild_record and not (self.network and self.nodes):
            raise click.UsageError("--rebuild-record goes with --network and --nodes")
        if self.exit_code and not self.dry_run:
            raise click.UsageError("--exit-code goes with --dry-run")
        if self.no_verify and self.verify_failover:
            raise click.UsageError("--no-verify and --verify-failover contradict each other; leave one of them out")


def _repair(pair: str | None, said: _Said, run: Run) -> int:
    """Bring the pair back, unless that is only to be shown; returns the exit code."""
    from haos.cli.asking import confirm_changes
    from haos.view.explain_repair import show_repair_explanation
    from haos.view.repair import EXIT_BEYOND, show_repair_plan, show_repaired
    from haos.workflow.repair import prepare, repair
    from haos.workflow.repair_plan import RepairPlan

    def show(planned: RepairPlan) -> None:
        show_repair_plan(planned, run.console, said.style, verbose=run.verbose)

    verify, verify_failover = not said.no_verify, said.verify_failover
    prepared = prepare(pair, said.observer, run.context, verify=verify, verify_failover=verify_failover)
    run.remember(prepared.pair.name)
    if said.explain:
        return show_repair_explanation(prepared, run.console, run.logins(prepared.place.nodes))
    show(prepared)
    if said.dry_run:
        return EXIT_BEYOND if prepared.beyond else 3 if said.exit_code and prepared.steps else 0
    if prepared.steps:
        confirm_changes(yes=said.yes)
    return show_repaired(repair(prepared, run.context, show), run.console, said.style)


def _rebuild(said: _Said, run: Run) -> RebuiltRecord:
    """Write the record anew, unless that is only to be shown; returns what was planned."""
    from haos.cli.asking import confirm_changes
    from haos.view.rebuild import show_rebuild_explanation, show_rebuild_plan
    from haos.workflow.rebuild import plan_record, rebuild

    assert said.network, "it was asked for"
    assert said.nodes, "it was asked for"
    planned = plan_record(said.pair, said.network, said.nodes, run.context, as_on=said.as_on)
    if said.explain:
        show_rebuild_explanation(planned, run.console)
        return planned
    show_rebuild_plan(planned, run.console, said.style)
    if planned.changes and not said.dry_run:
        confirm_changes(yes=said.yes)
        rebuild(planned, run.context)
    return planned
