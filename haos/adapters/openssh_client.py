"""How the user's own OpenSSH is asked: options, the effective configuration, one client process."""

from __future__ import annotations

import enum
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from haos.core.model import Address, Instance
from haos.core.power import may_answer, wake
from haos.errors import RemoteError, UsageError

# Whatever the user's configuration says: no prompt, no forwarding, no terminal, no change to the user's files.
FIXED_OPTIONS = (
    "BatchMode=yes",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=2",
    "ConnectionAttempts=1",
    "CheckHostIP=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "UpdateHostKeys=no",
    "LogLevel=ERROR",
)
_SECRET = re.compile(r"(?:HAOS|OS)_.*(?:PASSWORD|SECRET|TOKEN|PASSCODE)|(?s:OS_\w+=.*://[^/\s]*@.*)")
"""Names of variables, or a variable that holds a URL with a password in it."""


class AddressChoice(enum.StrEnum):
    """Which of an instance's addresses SSH goes to."""

    AUTO = "auto"
    FLOATING = "floating"
    FIXED = "fixed"


@dataclass(frozen=True)
class SshOptions:
    """What the user said about SSH; all else is up to the user's own ssh configuration."""

    user: str | None = None
    key: Path | None = None
    jump: str | None = None
    address: AddressChoice = AddressChoice.AUTO
    config: Path | None = None
    accept_new_host_keys: bool = False
    sudo_password: str | None = field(default=None, repr=False)
    connect_timeout_s: int = 5

    def check(self) -> None:
        """Refuse what ssh would misread or pass over in silence."""
        if self.jump is not None and (not self.jump or self.jump.startswith("-")):
            raise UsageError(f"--ssh-jump {self.jump!r} is no host", hint="use [user@]host[:port]")
        if self.user is not None and (not self.user or self.user.startswith("-")):
            raise UsageError(f"--ssh-user {self.user!r} is no user name", hint="as you would say: ssh -l USER")
        if self.key is not None and not self.key.expanduser().is_file():
            raise UsageError(f"--ssh-key {self.key}: no such file", hint="name the private key's file")
        if self.config is not None and not self.config.expanduser().is_file():
            raise UsageError(
                f"ssh configuration {self.config}: no such file",
                hint="it is named by --ssh-config, or ssh_config in section haos of clouds.yaml",
            )
        if self.sudo_password is not None and re.search(r"[\n\r\0]", self.sudo_password):
            raise UsageError("the sudo password holds a line break", hint="look at HAOS_SUDO_PASSWORD")


@dataclass(frozen=True)
class Endpoint:
    """Where an instance's sshd is, and what the user's configuration says about it (`ssh -G`)."""

    instance: Instance
    address: Address
    options: SshOptions
    config: Mapping[str, str]

    @property
    def user(self) -> str:
        """The user name that ssh will log in with."""
        return self.config.get("user", "?")

    @property
    def alias(self) -> str:
        """The name under which haos itself keeps the host key: a re-used address never matches an old key."""
        return f"haos-{self.instance.id}"

    @property
    def via(self) -> str | None:
        """The bastion or proxy on the way, None for a direct connection."""
        proxy = self.config.get("proxyjump") or self.config.get("proxycommand")
        return None if proxy in (None, "none") else proxy

    def __str__(self) -> str:
        return f"{self.instance} at {self.address}"


def check_status(instance: Instance) -> None:
    """Refuse at once an instance of which Nova knows that it runs no sshd."""
    if not may_answer(instance):
        raise RemoteError(f"{instance.name} is {instance.status}", hint=wake(instance))


def choose_address(instance: Instance, options: SshOptions) -> Address:
    """Pick the address for SSH: the floating one if there is one; the fixed one through a bastion."""
    kinds = {AddressChoice.FLOATING: instance.floating, AddressChoice.FIXED: instance.fixed}
    order = [AddressChoice.FLOATING, AddressChoice.FIXED]
    if options.address is not AddressChoice.AUTO:
        order = [options.address]
    elif options.jump:
        order.reverse()
    for kind in order:
        if kinds[kind]:
            return min(kinds[kind], key=lambda address: address.version)
    if options.address is AddressChoice.AUTO:
        raise RemoteError(
            f"{instance} has no address to reach it by SSH", hint=f"openstack server show {instance.id}"
        )
    other = [kind for kind in kinds if kind is not options.address and kinds[kind]]
    raise RemoteError(
        f"{instance} has no {options.address} address, as --ssh-address asks for",
        hint=f"use --ssh-address {other[0]} or auto" if other else f"openstack server show {instance.id}",
    )


def destination(options: SshOptions, address: Address) -> list[str]:
    """Return the arguments that say who and where, without ssh itself."""
    words: list[str] = []
    if options.config:
        words += ["-F", str(options.config.expanduser().absolute())]
    if options.user:
        words += ["-l", options.user]
    if options.key:
        words += ["-o", f"IdentityFile={_quoted(options.key)}", "-o", "IdentitiesOnly=yes"]
    if options.jump:
        words += ["-J", options.jump]
    for option in (*FIXED_OPTIONS, f"ConnectTimeout={options.connect_timeout_s}"):
        words += ["-o", option]
    return [*words, str(address)]


def _quoted(path: Path) -> str:
    """Return a path as an option of ssh holds it: quoted, and with nothing that ssh would expand."""
    text = str(path.expanduser().absolute()).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("%", "%%") + '"'


def environment() -> dict[str, str]:
    """Return the environment for ssh: in English, and without secrets that SendEnv could carry away."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not _SECRET.fullmatch(name) and not _SECRET.fullmatch(f"{name}={value}")
    }
    return kept | {"LC_ALL": "C"}


def run_tool(
    argv: Sequence[str], *, timeout_s: float, more: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Run ssh or ssh-keygen to its end, with nothing on stdin and no terminal to ask on."""
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={**environment(), **more},
            timeout=timeout_s,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise no_ssh(argv[0]) from None
    except subprocess.TimeoutExpired:
        raise RemoteError(
            f"{argv[0]} did not end within {timeout_s:g} s", hint=f"try it by hand: {shlex.join(argv)}"
        ) from None


def no_ssh(program: str) -> RemoteError:
    """Say that the OpenSSH client is missing."""
    return RemoteError(f"{program} is not on the PATH", hint="install the OpenSSH client (openssh-client)")


def endpoint(instance: Instance, options: SshOptions) -> Endpoint:
    """Choose the address and read the effective configuration for it."""
    address = choose_address(instance, options)
    result = run_tool(["ssh", "-G", *destination(options, address)], timeout_s=20)
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["ssh -G failed"])[-1]
        raise UsageError(f"ssh cannot use its configuration: {last}", hint=f"see: ssh -G {address}")
    config: dict[str, str] = {}
    for line in result.stdout.splitlines():
        name, _, value = line.partition(" ")
        if name == "identityfile" and name in config:
            config[name] += f"\n{value}"
        config.setdefault(name, value)
    return Endpoint(instance, address, options, config)
