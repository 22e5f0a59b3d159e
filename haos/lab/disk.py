"""An instance's disk: the files that are its own, laid over the shared image."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from haos.lab.model import Guest

LOGIN_UID = 1000  # the image's only ordinary user


@dataclass(frozen=True)
class Disk:
    """A directory with `upper`, `work` and the mount point `root`."""

    directory: Path

    def make(self, guest: Guest) -> None:
        """Make a fresh disk, with what cloud-init writes on a first boot."""
        self.remove()
        upper = self.directory / "upper"
        for directory in (upper / "etc/ssh", self.directory / "work", self.directory / "root"):
            directory.mkdir(parents=True)
        etc = upper / "etc"
        (etc / "hostname").write_text(f"{guest.hostname}\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {guest.hostname}\n::1 localhost\n")
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        _generate_host_key(etc / "ssh/ssh_host_ed25519_key", guest.hostname)
        _authorize(upper / "home/debian", guest.authorized_keys)

    @property
    def host_key(self) -> str:
        """The public host key, as `TYPE BLOB COMMENT`."""
        return (self.directory / "upper/etc/ssh/ssh_host_ed25519_key.pub").read_text().strip()

    def remove(self) -> None:
        """Throw the disk away."""
        if self.directory.exists():
            shutil.rmtree(self.directory)


def _generate_host_key(path: Path, hostname: str) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{hostname}", "-f", str(path)]
    subprocess.run(argv, check=True)


def _authorize(home: Path, keys: tuple[str, ...]) -> None:
    ssh = home / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    authorized = ssh / "authorized_keys"
    authorized.write_text("".join(f"{key.strip()}\n" for key in keys))
    authorized.chmod(0o600)
    for path in (home, ssh, authorized):
        os.chown(path, LOGIN_UID, LOGIN_UID)
