"""`haos completion`, and what the shell's completion script asks. Never asks a cloud: Tab must be quick."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    get_completion_class,
)

from haos.cli.argv import split_openstack_options
from haos.cli.options import Settings

SHELLS = ("bash", "zsh", "fish")
HOW = {
    "bash": 'eval "$(haos completion bash)"        in ~/.bashrc',
    "zsh": 'eval "$(haos completion zsh)"         in ~/.zshrc, after compinit',
    "fish": "haos completion fish | source         in ~/.config/fish/config.fish",
}
VALUELESS = ("--insecure", "--verify")


@click.command(epilog="\b\n" + "\n".join(HOW.values()))
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, /, shell: str) -> int:
    """Print the completion script of a shell.

    Commands, options and the names of pairs complete; the latter as list, create and status last saw them.
    """
    made = get_completion_class(shell)
    assert made is not None, "click knows every shell of the choice"
    click.echo(made(ctx.find_root().command, {}, "haos", "_HAOS_COMPLETE").source(), nl=False)
    return 0


def complete(cli: click.Command, instruction: str) -> int:
    """Answer the completion script: `bash_complete` and the like, with the words in COMP_WORDS and COMP_CWORD."""
    shell, _, what = instruction.partition("_")
    if shell not in SHELLS or what not in ("complete", "source"):
        return 1
    answering = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}[shell](cli, {}, "haos", "_HAOS_COMPLETE")
    answer = answering.source() if what == "source" else answering.complete()
    if answer:
        click.echo(answer.removesuffix("\n"))
    return 0


class _WithoutOpenStack(ShellComplete):
    """Takes --os-* and the like, which click does not know, off the words before it looks at them."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        own, openstack = split_openstack_options(args)
        if _waits_for_value(openstack):
            return []
        self.ctx_args = {"obj": Settings(openstack)}
        return super().get_completions(own, incomplete)


class _Bash(_WithoutOpenStack, BashComplete):
    pass


class _Zsh(_WithoutOpenStack, ZshComplete):
    pass


class _Fish(_WithoutOpenStack, FishComplete):
    pass


def _waits_for_value(openstack: Sequence[str]) -> bool:
    last = openstack[-1] if openstack else ""
    return last.startswith("--") and "=" not in last and last not in VALUELESS
