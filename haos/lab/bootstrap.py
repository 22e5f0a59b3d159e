"""The recipe of the base image: what goes into it, and the run of mmdebstrap that makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from haos.lab import sources
from haos.lab.errors import LabError
from haos.lab.namespaces import environment, is_root, mapped

Progress = Callable[[str], None]

RECIPE = Path(__file__).parent / "recipe"
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    "iproute2",
    "iputils-ping",
    "iputils-arping",
    "procps",
    "python3-minimal",
    "nftables",
    "tcpdump",
)
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
BUILD_S = 900.0
PHASES = {
    "I: running apt-get update": "reading the package lists",
    "I: downloading": "downloading packages",
    "I: extracting": "unpacking",
    "I: installing essential": "installing the essential packages",
    "I: installing remaining": "installing systemd, sshd and the tools",
    "I: running --customize": "adding the login user and the offline keepalived",
}


def bootstrap(root: Path, log: Path, progress: Progress) -> None:
    """Fill an empty directory with the image; raises LabError with what went wrong."""
    # Device nodes cannot be made in a user namespace, and every instance gets a /dev of its own anyway.
    unpack = [*mapped(), "tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*"]
    with _workspace() as work:
        making = subprocess.Popen(
            _mmdebstrap(work), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )
        assert making.stdout is not None
        assert making.stderr is not None
        with making, log.open("w") as complaints:
            unpacking = subprocess.Popen(
                [*unpack, "--exclude=./dev/*", "-C", str(root)],
                stdin=making.stdout, stderr=complaints, env=environment(),
            )  # fmt: skip
            _tell(making.stderr, complaints.write, progress)
            codes = making.wait(BUILD_S), unpacking.wait(BUILD_S)
    if any(codes):
        raise LabError(f"the base image could not be built: {_last_error(log)}", hint=f"the whole story is in {log}")


@contextmanager
def _workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="haos-image-") as name:
        os.chmod(name, 0o755)  # noqa: S103 - other users of the user namespace must see the recipe
        yield Path(name)


def _mmdebstrap(work: Path) -> list[str]:
    recipe = work / "recipe"
    shutil.copytree(RECIPE, recipe)
    settings = work / "apt.conf"
    settings.write_text('APT::Install-Recommends "false";\n' + sources.apt_settings())
    return [
        "mmdebstrap",
        f"--mode={'root' if is_root() else 'unshare'}",
        "--variant=apt",
        f"--include={','.join(PACKAGES)}",
        f"--aptopt={settings}",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        f'--customize-hook=sh "{recipe}/customize.sh" "$1" "{recipe}"',
        sources.SUITE,
        "-",
        *sources.source_lines(),
    ]


def _tell(lines: Iterable[str], log: Callable[[str], object], progress: Progress) -> None:
    for line in lines:
        log(line)
        for start, phase in PHASES.items():
            if line.startswith(start):
                progress(f"  {phase}")


def _last_error(log: Path) -> str:
    lines = [line for line in log.read_text().splitlines() if line.startswith(("E:", "tar:", "Err:"))]
    return lines[-1] if lines else "mmdebstrap failed"
