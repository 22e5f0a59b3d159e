"""One run of a command: the connection to the cloud, to the instances, and the view, put together."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from haos.adapters.connect import connect
from haos.adapters.fleet import SshFleet
from haos.adapters.openssh import AddressChoice, SshGateway, SshOptions
from haos.cli.lab_cloud import lab_config_files
from haos.view.console import ConsoleProgress, Output
from haos.workflow.context import Context


class SystemClock:
    """The machine's own time."""

    def now_s(self) -> float:
        """Return seconds on the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass between two looks at a condition."""
        time.sleep(seconds)


@dataclass(frozen=True)
class Run:
    """What a command needs of its session."""

    context: Context
    console: Output
    verbose: bool


@contextmanager
def session(openstack: Sequence[str], options: Mapping[str, Any]) -> Iterator[Run]:
    """Open everything, and close it whatever happens."""
    output = Output(quiet=options["quiet"])
    progress = ConsoleProgress(output)
    with progress.step("authenticate"):
        cloud = connect(openstack, config_files=lab_config_files(openstack, os.environ), debug=options["debug"])
    gateway = SshGateway(
        ssh_settings(options, cloud.settings),
        console_log=cloud.console_log,
        consent=_consent if os.isatty(0) and os.isatty(2) else None,
        cache_dir=cache_dir(),
        insecure_api=cloud.insecure,
    )
    fleet = SshFleet(gateway)
    try:
        yield Run(Context(cloud, fleet, SystemClock(), progress), output, options["verbose"])
    finally:
        fleet.close()


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


def cache_dir() -> Path:
    """Return haos's own cache folder (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "haos"


def _consent(question: str) -> bool:
    return click.confirm(question, default=False, err=True)
