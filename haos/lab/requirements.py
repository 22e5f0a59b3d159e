"""What the lab needs of the machine, each found out by trying; as root it can install what is missing.

`python -m haos.lab.requirements [--install] [--tests]` says what is missing; with `--tests` also for the tests.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from haos.lab import cgroups
from haos.lab.errors import LabError
from haos.lab.model import FabricKind
from haos.lab.namespaces import MAPPED, SYSTEM_PATH, environment, in_own_namespaces, is_root, mapped, python
from haos.lab.paths import cache_dir
from haos.lab.sources import KEYRING

__all__ = ["LabError", "check", "main"]

Progress = Callable[[str], None]

TOOLS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "bridge": "iproute2",
    "nft": "nftables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "tar": "tar",
    "mmdebstrap": "mmdebstrap",
}
USER_TOOLS = {"newuidmap": "uidmap", "newgidmap": "uidmap"}
TEST_TOOLS = {
    "sshd": "openssh-server",
    "keepalived": "keepalived",
    "sudo": "sudo",
    "ping": "iputils-ping",
    "arping": "iputils-arping",
    "tcpdump": "tcpdump",
    "tcsh": "tcsh",
    "fish": "fish",
    "newuidmap": "uidmap",
}
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian's way to say that no service be started: exit code 101
TRIAL_S = 30.0


def check(
    *,
    install: bool = False,
    progress: Progress = lambda line: None,
    tests: bool = False,
    kind: FabricKind = FabricKind.OVS,
) -> None:
    """Raise LabError with the first thing that is missing, and the command that provides it."""
    lacking = missing_packages(tests=tests)
    if lacking and install and is_root():
        install_packages(lacking, progress)
        lacking = missing_packages(tests=tests)
    if lacking:
        sudo = "" if is_root() else "sudo "
        raise LabError(
            f"missing on this machine: {', '.join(lacking)}", hint=f"{sudo}apt-get install {' '.join(lacking)}"
        )
    _try_user_namespace()
    _try_control_group()
    _try_mounts_and_switch(kind)


def missing_packages(*, tests: bool = False) -> list[str]:
    """Return the Debian packages of the commands and files that are not there."""
    tools = {**TOOLS, **({} if is_root() else USER_TOOLS), **(TEST_TOOLS if tests else {})}
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
    found = {package for tool, package in tools.items() if shutil.which(tool, path=path) is None}
    if not KEYRING.exists():
        found.add("debian-archive-keyring")
    return sorted(found)


def install_packages(packages: Sequence[str], progress: Progress) -> None:
    """Install Debian packages, starting no service of theirs. Raises LabError if apt refuses."""
    progress(f"installing {', '.join(packages)}")
    variables = environment({"DEBIAN_FRONTEND": "noninteractive"})
    with _no_services():
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", *words],
                env=variables,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode:
                raise LabError(f"apt-get {words[0]} failed: {done.stderr.strip().splitlines()[-1:]}")


@contextmanager
def _no_services() -> Iterator[None]:
    if POLICY.exists():
        yield  # the machine has a policy of its own
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _try_user_namespace() -> None:
    if is_root():
        return
    tried = _run([*MAPPED, "--", "true"])
    if tried.returncode:
        ranges = "--add-subuids 100000-165535 --add-subgids 100000-165535"
        raise LabError(
            f"no user namespace can be made: {_first_line(tried.stderr)}",
            hint=f"sudo usermod {ranges} {Path.home().name}, or run the lab as root",
        )


def _try_control_group() -> None:
    group = cgroups.parent() / f"haos-trial-{secrets.token_hex(3)}"
    cgroups.make(group)
    cgroups.remove(group)


def _try_mounts_and_switch(kind: FabricKind) -> None:
    cache_dir().mkdir(parents=True, exist_ok=True)
    directory = tempfile.mkdtemp(prefix="trial-", dir=cache_dir())
    try:
        tried = _run([*in_own_namespaces(), *python("haos.lab.trial", directory, kind)])
    finally:
        # The kernel leaves a directory in an overlay's work directory that only a mapped root may look into.
        _run([*mapped(), "rm", "-rf", "--", directory])
    if tried.returncode:
        reason, _, remedy = _last_line(tried.stderr).partition("\t")
        raise LabError(reason, hint=remedy or None)


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, env=environment(), timeout=TRIAL_S, check=False)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def main(argv: Sequence[str]) -> int:
    """Check, and say what is missing."""
    try:
        check(install="--install" in argv, tests="--tests" in argv, progress=lambda line: print(line, flush=True))
    except LabError as error:
        print(f"{error}\n  hint: {error.hint}" if error.hint else error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
