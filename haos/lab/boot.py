"""Turn a process into an instance: namespaces, mounts, network cards, then systemd as process 1.

`python -m haos.lab.boot LINK SPEC` reports the process id of process 1 on the socket LINK and ends; process 1 goes on
once a byte comes back, which says that its network cards are plugged.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from haos.lab import cards, cgroups, syscalls
from haos.lab.model import Guest
from haos.lab.syscalls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT, bind, mount
from haos.lab.wire import decode

NAMESPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWCGROUP
)
STRICT = MS_NOSUID | MS_NODEV | MS_NOEXEC
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
# What would reach through to the machine below.
DROPPED = "-sys_module,-sys_rawio,-sys_time,-syslog,-mknod,-wake_alarm,-mac_admin,-mac_override,-bpf,-perfmon"
SYSTEMD = (
    *("/usr/bin/setpriv", "--bounding-set", DROPPED, "--inh-caps", DROPPED),
    *("/lib/systemd/systemd", "--system", "--show-status=1"),
)
ENVIRONMENT = {"container": "haos", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "linux"}


@dataclass(frozen=True)
class BootSpec:
    """What an instance is booted from."""

    guest: Guest
    disk: str  # directory with upper, work and root
    image: str  # the shared tree
    group: str  # its control group
    console: str  # the terminal that becomes /dev/console


def main(link_fd: int, spec: BootSpec) -> None:
    """Leave a process behind that becomes the instance's process 1, and report it."""
    cgroups.enter(Path(spec.group))
    syscalls.unshare(NAMESPACES)
    init = os.fork()
    with socket.socket(fileno=link_fd) as link:
        link.set_inheritable(False)
        if init:
            link.send(str(init).encode())
            return
        os.setsid()
        root = f"{spec.disk}/root"
        mount_root(spec, root)
        mount_api_systems(root)
        populate_dev(root, spec.console)
        if not link.recv(1):
            sys.exit("the hypervisor is gone")
    cards.configure(spec.guest.nics)
    socket.sethostname(spec.guest.hostname)
    syscalls.enter_root(root)
    os.execve(SYSTEMD[0], SYSTEMD, ENVIRONMENT)  # noqa: S606 - process 1 becomes systemd


def mount_root(spec: BootSpec, root: str) -> None:
    """Lay the instance's own files over the shared image."""
    mount("overlay", root, "overlay", options=overlay_options(Path(spec.image), Path(spec.disk)))


def overlay_options(image: Path, disk: Path) -> str:
    """Return the mount options that lay a disk over an image."""
    options = f"lowerdir={image},upperdir={disk}/upper,workdir={disk}/work"
    return f"{options},userxattr" if _in_user_namespace() else options


def mount_api_systems(root: str) -> None:
    """Mount proc and sys so that nothing but the instance's own network can be set through them."""
    mount("proc", f"{root}/proc", "proc", STRICT)
    settings = f"{root}/proc/sys"
    bind(settings, settings)
    bind(f"{settings}/net", f"{settings}/net")
    mount("", settings, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | STRICT)
    for name in ("sysrq-trigger", "kcore"):
        if os.path.exists(f"{root}/proc/{name}"):
            bind("/dev/null", f"{root}/proc/{name}")
    Path(f"{settings}/net/ipv4/ping_group_range").write_text("0 65534")
    mount("sysfs", f"{root}/sys", "sysfs", STRICT | MS_RDONLY)
    mount("cgroup2", f"{root}/sys/fs/cgroup", "cgroup2", STRICT)
    for name, size in (("run", "64m"), ("tmp", "64m")):
        mode = "1777" if name == "tmp" else "755"
        mount("tmpfs", f"{root}/{name}", "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode},size={size}")
    # journald tells boots apart by this: the kernel's own is the same for all of them.
    boot_id = Path(f"{root}/run/boot-id")
    boot_id.write_text(f"{uuid.uuid4()}\n")
    bind(str(boot_id), f"{settings}/kernel/random/boot_id")


def populate_dev(root: str, console: str) -> None:
    """Make a /dev of the few harmless devices, and the console."""
    dev = f"{root}/dev"
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for name, source in (*((name, f"/dev/{name}") for name in DEVICES), ("console", console)):
        Path(dev, name).touch()
        bind(source, f"{dev}/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}")
    mount("tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=16m")
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
    for name, target in LINKS.items():
        os.symlink(target, f"{dev}/{name}")


def _in_user_namespace() -> bool:
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


if __name__ == "__main__":
    main(int(sys.argv[1]), decode(BootSpec, json.loads(sys.argv[2])))
