"""One run of a command: the connection to the cloud, to the instances, and the view, put together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from haos.adapters.clock import SystemClock
from haos.adapters.connect import connect
from haos.adapters.fleet import SshFleet
from haos.adapters.guardian import ProcessGuardian
from haos.adapters.openssh import READY_TIMEOUT_S, AddressChoice, SshGateway, SshOptions
from haos.adapters.openssh_client import choose_address
from haos.cli import pair_cache
from haos.cli.asking import ask, on_terminal
from haos.cli.lab_cloud import lab_config_files
from haos.cli.logs import RequestLog, debug_to_stderr, log_to
from haos.cli.masking import secrets_said
from haos.cli.options import Settings
from haos.core.model import Instance, Node
from haos.view.console import Output
from haos.view.progress import ConsoleProgress
from haos.view.timing import show_timing
from haos.workflow.context import Context

NO_SSH: Mapping[str, Any] = {
    "ssh_user": None,
    "ssh_key": None,
    "ssh_jump": None,
    "ssh_address": "auto",
    "ssh_config": None,
    "accept_new_host_keys": False,
    "ask_sudo_password": False,
}
"""The SSH options of a command that has none."""


@dataclass(frozen=True)
class Run:
    """What a command needs of its session."""

    context: Context
    console: Output
    settings: Settings
    ssh: SshOptions = field(default_factory=SshOptions)

    @property
    def verbose(self) -> bool:
        """Whether details are wanted."""
        return self.settings.verbose

    def logins(self, nodes: Iterable[Node]) -> dict[str, list[str]]:
        """Return the ssh command that a person would log in to each node with, by node name."""
        return {node.name: ssh_argv(node.instance, self.ssh) for node in nodes}

    def remember(self, *names: str) -> None:
        """Keep names of pairs for the shell's completion."""
        pair_cache.remember(self.settings.openstack, os.environ, found=names)

    def forget(self, name: str) -> None:
        """Let the shell's completion offer a name no more."""
        pair_cache.remember(self.settings.openstack, os.environ, gone=[name])


@contextmanager
def session(
    settings: Settings, options: Mapping[str, Any] = NO_SSH, *, patience_s: float = READY_TIMEOUT_S
) -> Iterator[Run]:
    """Open everything, and close it whatever happens; with no SSH options where no instance is logged in to.

    An instance that refuses or is silent is tried again for `patience_s`.
    """
    output = Output(quiet=settings.quiet)
    progress = ConsoleProgress(output)
    requests = RequestLog()
    settings.secrets.update(secrets_said(settings.openstack))
    with ExitStack() as stack:
        if settings.log_file is not None:
            stack.enter_context(log_to(settings.log_file, settings.secrets, debug=settings.debug))
        if settings.debug:
            stack.enter_context(debug_to_stderr(settings.secrets))
        if settings.timing:
            stack.callback(show_timing, requests.seen, output)
        with progress.step("authenticate"):
            cloud = connect(
                settings.openstack,
                config_files=lab_config_files(settings.openstack, os.environ),
                on_request=requests.note,
                on_secrets=settings.secrets.update,
            )
        ssh = ssh_settings(options, cloud.settings)
        settings.secrets.update([ssh.sudo_password] if ssh.sudo_password else [])
        gateway = SshGateway(
            ssh,
            console_log=cloud.console_log,
            consent=(lambda question: _consent(question, progress)) if on_terminal() else None,
            cache_dir=pair_cache.cache_dir(os.environ),
            insecure_api=cloud.insecure,
            ready_timeout_s=patience_s,
        )
        fleet = SshFleet(gateway)
        stack.callback(fleet.close)
        guardian = ProcessGuardian(settings.openstack, pair_cache.cache_dir(os.environ))
        yield Run(Context(cloud, fleet, SystemClock(), progress, guardian), output, settings, ssh)


def ssh_argv(instance: Instance, options: SshOptions) -> list[str]:
    """Return the ssh command for an instance, as a person would type it."""
    words = ["ssh"]
    for flag, value in (("-F", options.config), ("-i", options.key), ("-J", options.jump), ("-l", options.user)):
        words += [] if value is None else [flag, str(value)]
    return [*words, str(choose_address(instance, options))]


def ssh_settings(options: Mapping[str, Any], settings: Mapping[str, str]) -> SshOptions:
    """Merge the command line with the `haos:` section of the cloud in clouds.yaml; the command line wins."""

    def path(name: str) -> Path | None:
        return options[name] or (Path(settings[name]).expanduser() if name in settings else None)

    password = os.environ.get("HAOS_SUDO_PASSWORD")
    if options["ask_sudo_password"]:
        password = click.prompt("sudo password on the nodes", hide_input=True, err=True)
    return SshOptions(
        user=options["ssh_user"] or settings.get("ssh_user"),
        key=path("ssh_key"),
        jump=options["ssh_jump"] or settings.get("ssh_jump"),
        address=AddressChoice(options["ssh_address"]),
        config=path("ssh_config"),
        accept_new_host_keys=options["accept_new_host_keys"],
        sudo_password=password,
    )


def _consent(question: str, progress: ConsoleProgress) -> bool:
    with progress.silence():
        return ask(question)
