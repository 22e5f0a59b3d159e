"""OpenStack from PyPI, every version pinned, in an environment of its own that is kept by the hash of the pins."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.openstack.bed.model import BedError, cache_dir

LOCK = Path(__file__).parent / "requirements.lock"
ENTRY = "neutron-server"


def digest(*parts: bytes) -> str:
    """Return a short hash of the parts, in their order."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def directory() -> Path:
    """Return where the environment for these pins and this Python belongs."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache_dir() / f"env-{digest(LOCK.read_bytes(), version.encode())}"


def ensure(log: Path) -> Path:
    """Return the environment, made first where there is none; raises BedError if pip fails."""
    target = directory()
    if (target / "complete").exists():
        return target
    shutil.rmtree(target, ignore_errors=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", str(target)], log)
    _run(
        [str(target / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(LOCK)],
        log,
    )
    if not (target / "bin" / ENTRY).exists():
        raise BedError(f"the environment lacks {ENTRY}", hint=f"see {log}")
    (target / "complete").touch()
    return target


def _run(command: list[str], log: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with log.open("ab") as out:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    if done.returncode:
        last = log.read_text(errors="replace").splitlines()[-1:]
        raise BedError(f"{' '.join(command[1:4])} failed: {''.join(last)}", hint=f"see {log}")
