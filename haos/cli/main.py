"""The `haos` command: a table of sub-commands, loaded when they are run."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

import click

from haos import __version__
from haos.cli.argv import split_openstack_options
from haos.cli.options import Settings, common_options
from haos.cli.width import Context, columns
from haos.errors import HaosError, Interrupted, UsageError
from haos.view.plain import harmless, never_fail

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("haos.cli.check", "Say what speaks against a pair, or against making it."),
    "create": ("haos.cli.create", "Make a highly available VIP between instances, and prove it."),
    "list": ("haos.cli.list", "List the project's pairs."),
    "status": ("haos.cli.status", "Show a pair as the cloud, the nodes and the observer see it."),
    "failover-test": ("haos.cli.failover_test", "Inject faults and measure the outage from the observer."),
    "switchover": ("haos.cli.switchover", "Move the VIP to another node with no lost probe."),
    "repair": ("haos.cli.repair", "Bring a pair back to what its record says."),
    "replace-node": ("haos.cli.replace_node", "Give a pair another node in the place of one of its own."),
    "teardown": ("haos.cli.teardown", "Remove exactly what haos added, everywhere."),
    "lab": ("haos.cli.lab", "The embedded cloud on this machine."),
    "completion": ("haos.cli.completion", "Print the completion script of a shell."),
    "help": ("haos.cli.help", "Show the help of a command."),
}
"""name -> (module that holds `command`, one line for --help): nothing is imported to list them."""

COMPLETE_VARIABLE = "_HAOS_COMPLETE"
"""Set by the shell's completion script."""
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

EPILOG = """\
Credentials are taken as the openstack client takes them: OS_CLOUD and every other OS_* variable, clouds.yaml,
--os-cloud and every other --os-* option, before or after the command.

No cloud at hand?  haos lab demo
"""


class LazyGroup(click.Group):
    """A group that imports a sub-command only to run it or to show its own help."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one sub-command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of the table without importing anything, and this group's own options."""
        from click.shell_completion import CompletionItem

        named = [
            CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="haos")
@common_options
def cli() -> None:
    """Highly available virtual IPs between ordinary OpenStack instances.

    haos makes, proves, measures and unmakes a VIP that two to five instances share through keepalived (VRRP).
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; expected errors become one line, a hint and an exit code, bugs keep their traceback."""
    never_fail(sys.stdout)
    never_fail(sys.stderr)
    if COMPLETE_VARIABLE in os.environ:
        from haos.cli.completion import complete

        sys.exit(complete(cli, os.environ[COMPLETE_VARIABLE]))
    own, openstack = split_openstack_options(sys.argv[1:] if argv is None else argv)
    settings = Settings(openstack)
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked for that
            signal.signal(number, _interrupt)
    try:
        code = cli.main(own, prog_name="haos", standalone_mode=False, obj=settings)
    except click.UsageError as error:
        code = show_misuse(error)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = show(Interrupted("interrupted"))
    except HaosError as error:
        if settings.debug:
            from haos.cli.masking import show_traceback

            show_traceback(error, settings.secrets)
        code = show(error)
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except Exception as error:
        from haos.cli.surroundings import explained

        known = explained(error)
        if known is None:
            from haos.cli.masking import mask_bugs, secrets_said

            mask_bugs(settings.secrets | secrets_said(openstack))
            raise
        code = show(known)
    sys.exit(code if isinstance(code, int) else 0)


def show_misuse(error: click.UsageError) -> int:
    """Print what click has against the command line, as any other error; a group without a command shows its help."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # of click 8.2
        error.show()
        return error.exit_code
    words = " ".join(error.format_message().split()).rstrip(".")
    path = error.ctx.command_path if error.ctx else "haos"
    return show(UsageError(f"{words[:1].lower()}{words[1:]}", hint=f"{path} --help"))


def show(error: HaosError) -> int:
    """Print an expected error to stderr; return its exit code."""
    # Not by click, which writes UTF-8 even where Python was told to write ASCII.
    for line in (f"haos: {error}", *([f"  hint: {error.hint}"] if error.hint else [])):
        said = harmless(line)
        print(readable(said) if sys.stderr.isatty() else said, file=sys.stderr)
    return error.exit_code


def readable(line: str) -> str:
    """Return a line broken between words, where it would not fit the terminal."""
    import textwrap

    return textwrap.fill(
        line,
        columns(),
        subsequent_indent=" " * 4,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _interrupt(number: int, _: FrameType | None) -> None:
    # What is under way is undone on KeyboardInterrupt. A second signal, often out of impatience, must not break that.
    for each in STOPPING:
        # A handler that does nothing, not SIG_IGN, which every ssh of the undo would inherit.
        signal.signal(each, lambda *_: None)
    click.echo("haos: interrupted; what is under way is ended or undone, which can take a minute", err=True)
    raise KeyboardInterrupt
