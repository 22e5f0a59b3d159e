"""`haos status`."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from haos.cli.options import Command, Settings, common_options, option, pair_argument, show_options, ssh_options
from haos.view.style import Style

if TYPE_CHECKING:
    from haos.cli.session import Run

WATCH_S = 2.0
SHORTEST_S, LONGEST_S = 0.5, 3600.0
PATIENCE_S = 3.0
"""An instance that does not answer is no more than a row: it is not waited for as by those who need it."""


class StatusCommand(Command):
    """A command whose --watch may stand without its SECONDS, also before PAIR."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line."""
        return super().parse_args(ctx, list(_spelled_out(args)))


def _spelled_out(args: Sequence[str]) -> list[str]:
    """Return the arguments with the seconds of a --watch that has none."""
    following = [*args, ""][1:]
    return [
        f"{arg}={WATCH_S:g}" if arg == "--watch" and not _is_number(after) else arg
        for arg, after in zip(args, following, strict=True)
    ]


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


@click.command(cls=StatusCommand)
@pair_argument
@option("--observer", metavar="INSTANCE", help="Instance to look from (default: the one named 'observer').")
@option(
    "--watch",
    "every_s",
    metavar="[SECONDS]",
    type=click.FloatRange(SHORTEST_S, LONGEST_S),
    help="Go on looking until Ctrl-C, at the nodes every so many seconds (default: 2). Where stdout is no terminal, "
    "or with -f json: one JSON document a line at every change.",
)
@ssh_options
@show_options
@common_options
@click.pass_obj
def command(
    settings: Settings, /, pair: str | None, observer: str | None, every_s: float | None, style: Style, **ssh: Any
) -> int:
    """Show a pair as the cloud, the nodes and the observer see it.

    Each thing that is not as it should be is named, with the command that helps. Exits 0 if the pair is healthy, 4 if
    it is not; with --watch, as it was last.

    \b
    Examples:
      haos status
      haos status web -f value -c Active
      haos status --watch
    """
    if every_s is not None and style.format not in ("table", "json"):
        raise click.UsageError(f"--watch shows a screen or writes JSON, not {style.format}")
    from haos.cli.session import session

    with session(settings, ssh, patience_s=PATIENCE_S) as run:
        return _once(pair, observer, run, style) if every_s is None else _watch(pair, observer, every_s, run, style)


def _once(pair: str | None, observer: str | None, run: Run, style: Style) -> int:
    from haos.view.status import show_status
    from haos.workflow.status import status

    seen = status(pair, observer, run.context)
    run.remember(seen.pair.name)
    return show_status(seen, run.console, style)


def _watch(pair: str | None, observer: str | None, every_s: float, run: Run, style: Style) -> int:
    from haos.view.watch import show_watch
    from haos.workflow.watch import watch

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Nothing has to be undone: to be interrupted is how a watch ends.
            signal.signal(number, signal.default_int_handler)
    with closing(watch(pair, observer, run.context, every_s=every_s)) as frames:
        return show_watch(frames, run.console, style)
