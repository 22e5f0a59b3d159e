"""What the bed wants of Debian: installed without starting or enabling anything, or said in one line."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.openstack.bed.model import BedError

PROGRAMS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ethtool": "ethtool",
    "mariadbd": "mariadb-server-core",
    "mariadb": "mariadb-client-core",
    "rabbitmq-server": "rabbitmq-server",
    "ovs-vswitchd": "openvswitch-switch",
    "ovn-northd": "ovn-central",
    "ovn-controller": "ovn-host",
    # The L3 agent's own:
    "iptables": "iptables",
    "conntrack": "conntrack",
    "arping": "iputils-arping",
}
"""program -> the Debian package that brings it"""
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Of haos's tests.openstack, for the time of one installation.\nexit 101\n"
UNITS = Path("/etc/systemd/system")
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> list[str]:
    """Return the packages that are not there."""
    wanted = [package for program, package in PROGRAMS.items() if not shutil.which(program, path=SEARCH)]
    return wanted if can_make_environments() else [*wanted, "python3-venv"]


def can_make_environments() -> bool:
    """Tell whether this Python makes environments with a pip: Debian's does only with python3-venv."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def check_allowed(packages: list[str], *, may_install: bool) -> None:
    """Raise BedError with the packages where this run may not install them."""
    listed = " ".join(packages)
    if packages and not (may_install and os.geteuid() == 0 and shutil.which("apt-get", path=SEARCH)):
        raise BedError(f"these packages are missing: {listed}", hint=f"apt-get install {listed}")


def install(packages: list[str], log: Path) -> None:
    """Install packages whose services neither start nor are left to start later; raises BedError with apt's words."""
    before = enabled_links()
    with services_kept_down(POLICY):
        _apt(["update", "-q"], log)
        _apt(["install", "-y", "-q", "--no-install-recommends", *packages], log)
    for link in enabled_links() - before:
        link.unlink()
    importlib.invalidate_caches()
    if left := missing():
        raise BedError(f"apt-get did not bring {' '.join(left)}", hint=f"see {log}")


def enabled_links() -> set[Path]:
    """Return what says that a unit starts by itself: what an installation adds here is taken away again."""
    patterns = ("*.wants/*", "*.requires/*")
    return {link for pattern in patterns for link in UNITS.glob(pattern) if link.is_symlink()}


@contextmanager
def services_kept_down(policy: Path = POLICY) -> Iterator[None]:
    """Have maintainers' scripts start nothing meanwhile; a policy of the machine's own stays as it is."""
    if policy.exists() and policy.read_text() != POLICY_TEXT:
        if "exit 101" not in policy.read_text():
            raise BedError(f"{policy} lets packages start services", hint="install the packages yourself")
        yield
        return
    policy.write_text(POLICY_TEXT)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def forget_policy(policy: Path = POLICY) -> None:
    """Remove the policy that an installation of ours left behind when it was killed."""
    if policy.exists() and policy.read_text() == POLICY_TEXT:
        policy.unlink()


def _apt(arguments: list[str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with log.open("ab") as out:
        command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    if done.returncode:
        last = log.read_text(errors="replace").splitlines()[-1:]
        raise BedError(f"apt-get {arguments[0]} failed: {''.join(last)}", hint=f"see {log}")
