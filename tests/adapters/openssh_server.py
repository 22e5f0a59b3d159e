"""A real sshd on a loopback port, an ordinary process; nothing of the developer's ~/.ssh leaks in."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from haos.adapters.openssh import SshGateway, SshOptions
from haos.core.hostkeys import BEGIN, END
from haos.core.model import Instance

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
USER = getpass.getuser()
INSTANCE = Instance(
    id="6a1c2b3d-0000-4000-8000-000000000001", name="web-a", status="ACTIVE", fixed=(ip_address("127.0.0.1"),)
)


def need_sshd() -> str:
    """Return sshd's path; without it the test is skipped, except in CI."""
    if SSHD is None:
        if os.environ.get("CI") == "true":
            pytest.fail("sshd is missing: apt-get install openssh-server")
        pytest.skip("needs sshd: apt-get install openssh-server")
    return SSHD


def make_key(path: Path) -> Path:
    """Make an ed25519 key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "root@web-a", "-f", path], check=True)
    return path


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sshd:
    """The server. `authorized` goes before the user's key, `extra` to the end of sshd_config."""

    def __init__(self, folder: Path, *, authorized: str = "", extra: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self.host_key = make_key(folder / "host")
        self.user_key = make_key(folder / "id")
        self.authorized = folder / "authorized_keys"
        self.authorized.write_text(authorized + self.user_key.with_suffix(".pub").read_text())
        self.extra = list(extra)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def public_key(self) -> str:
        """The host key as `TYPE BLOB`."""
        return " ".join(self.host_key.with_suffix(".pub").read_text().split()[:2])

    @property
    def console(self) -> str:
        """What cloud-init would have printed."""
        return f"[ 1.0] boot\r\n{BEGIN}\r\n{self.public_key} root@web-a\r\n{END}\r\nweb-a login: "

    def start(self) -> Sshd:
        """Start, and wait until the port answers."""
        program = need_sshd()
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = self.folder / "sshd_config"
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.authorized}",
            f"PidFile {self.folder}/pid",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 100",
            *self.extra,
        ]
        config.write_text("\n".join(lines) + "\n")
        with open(self.folder / "sshd.log", "ab") as log:
            self.process = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=log)
        wait_until(self.listens, "sshd listens")
        return self

    def listens(self) -> bool:
        """Say whether the port answers."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End the listener (sessions that are open go on)."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def new_host_key(self) -> None:
        """Come back as a rebuilt machine would."""
        self.stop()
        self.host_key = make_key(self.folder / f"host{time.monotonic_ns()}")
        self.start()


@dataclass
class Client:
    """One user with a configuration of his own, and the gateways that he opened."""

    server: Sshd
    folder: Path
    console: str | None = None  # None: the console must not be read
    consent: Callable[[str], bool] | None = None
    options: SshOptions = field(default_factory=SshOptions)
    insecure_api: bool = False
    ready_timeout_s: float = 5.0
    console_reads: list[str] = field(default_factory=list)
    gateways: list[SshGateway] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.configure()

    @property
    def known_hosts(self) -> Path:
        """The user's own known_hosts."""
        return self.folder / "user_known_hosts"

    @property
    def cache(self) -> Path:
        """haos's own known_hosts."""
        return self.folder / "cache" / "known_hosts"

    def configure(self, *lines: str) -> None:
        """Write the user's ssh configuration, `lines` first."""
        config = self.folder / "ssh_config"
        config.write_text(
            "\n".join(
                [
                    *lines,
                    "Host *",
                    f"  Port {self.server.port}",
                    f"  User {USER}",
                    f"  IdentityFile {self.server.user_key}" if self.options.key is None else "",
                    "  IdentitiesOnly yes",
                    "  IdentityAgent none",
                    f"  UserKnownHostsFile {self.known_hosts}",
                    "  GlobalKnownHostsFile /dev/null",
                    "  KexAlgorithms curve25519-sha256",
                    "",
                ]
            )
        )
        self.options = replace(self.options, config=config)

    def trust(self) -> Client:
        """Put the server's key into the user's own known_hosts."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.server.port} {self.server.public_key}\n")
        return self

    def gateway(self) -> SshGateway:
        """Return a new gateway; close() ends it."""
        gateway = SshGateway(
            self.options,
            self._read_console,
            self.consent,
            self.folder / "cache",
            insecure_api=self.insecure_api,
            ready_timeout_s=self.ready_timeout_s,
        )
        self.gateways.append(gateway)
        return gateway

    def close(self) -> None:
        """Close every gateway."""
        for gateway in self.gateways:
            gateway.close()

    def _read_console(self, instance_id: str) -> str:
        assert self.console is not None, "the console log was read"
        self.console_reads.append(instance_id)
        return self.console


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    """Wait for a condition up to a deadline."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def command_lines() -> dict[int, str]:
    """Return the command line of every process that can be seen."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
    return found


def clients_of(client: Client) -> list[int]:
    """Return the ssh processes that run by this client's configuration or sockets."""
    marks = [str(client.options.config), *(str(gateway._workdir) for gateway in client.gateways)]
    return [pid for pid, line in command_lines().items() if line.startswith("ssh ") and any(m in line for m in marks)]
