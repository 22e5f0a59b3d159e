"""Where the lab keeps its files: all of them below the user's cache directory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from haos.lab.errors import LabError

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def cache_dir() -> Path:
    """Return haos's directory in the user's cache."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "haos"


def images_dir() -> Path:
    """Return the directory of the base images."""
    return cache_dir() / "images"


def labs_dir() -> Path:
    """Return the directory of the run directories."""
    return cache_dir() / "labs"


@dataclass(frozen=True)
class LabPaths:
    """The files of one lab."""

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that is no plain word: it names a directory, a cgroup and a cloud."""
        if not NAME.fullmatch(self.name):
            raise LabError(
                f"{self.name!r} is no name for a lab",
                hint="use at most 31 lower-case letters, digits and dashes, a letter or digit first",
            )

    @property
    def run(self) -> Path:
        """The directory that holds all the others; it goes with the lab."""
        return labs_dir() / self.name

    @property
    def claim(self) -> Path:
        """Who runs the lab: written before anything is started, so that whatever is left can be cleaned up."""
        return self.run / "lab.json"

    @property
    def state(self) -> Path:
        """What the running lab says of itself."""
        return self.run / "state.json"

    @property
    def clouds_yaml(self) -> Path:
        """The clouds.yaml for haos and for the openstack client."""
        return self.run / "clouds.yaml"

    @property
    def ssh_config(self) -> Path:
        """The OpenSSH configuration that reaches the instances."""
        return self.run / "ssh_config"

    @property
    def key(self) -> Path:
        """The private key that every instance's login user accepts."""
        return self.run / "key"

    @property
    def known_hosts(self) -> Path:
        """The instances' real host keys, for `haos lab ssh` alone."""
        return self.run / "known_hosts"

    @property
    def access_log(self) -> Path:
        """Every API request."""
        return self.run / "access.log"

    @property
    def daemon_log(self) -> Path:
        """What the lab's processes complained about."""
        return self.run / "daemon.log"

    @property
    def instances(self) -> Path:
        """The instances' disks."""
        return self.run / "instances"

    @property
    def consoles(self) -> Path:
        """The instances' console logs."""
        return self.run / "consoles"

    def console(self, guest_id: str) -> Path:
        """Return the console log of an instance."""
        return self.consoles / f"{guest_id}.log"
