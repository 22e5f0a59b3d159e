"""An observer and some nodes on one segment, in network namespaces that die with this process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType

from haos.adapters.prober import Result

OBSERVER = "10.200.51.34"
VIP = "10.200.51.9"
VIP6 = "fd51::9"
_HOLD = ["sh", "-c", "echo ready; exec cat"]

_GATE = """
import socket, struct, sys, time
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
def state(index, value):
    port = struct.pack("=HHBxxx", 5, 1, value)
    body = struct.pack("=BxHiII", 7, 0, index, 0, 0) + struct.pack("=HH", 4 + len(port), 12 | 0x8000) + port
    kernel.send(struct.pack("=IHHII", 16 + len(body), 19, 5, 1, 0) + body)
    error = struct.unpack_from("=i", kernel.recv(4096), 16)[0]
    assert error == 0, error
    return time.monotonic()
index = socket.if_nametoindex(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    phase, length = map(float, line.split())
    time.sleep(phase)
    shut = state(index, 0)
    time.sleep(max(0.0, shut + length - time.monotonic()))
    print(shut, state(index, 3), flush=True)
"""
"""Disables and enables a port of the bridge: every frame both ways is dropped, at once, and no carrier is lost."""


PORT = 8080
_SERVER = f"""
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 60
    def do_GET(self):
        self.send_response(200 if self.headers["Host"] == "web.example.org:{PORT}" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("", {PORT}), Handler)
print("ready", flush=True)
server.serve_forever()
"""
"""A service behind the VIP: it answers to one name alone, and lets a connection that says nothing be."""


class Namespace:
    """A network namespace, held by a process that ends when its stdin does."""

    def __init__(self, beside: Namespace | None = None) -> None:
        rights = [] if os.geteuid() == 0 else ["-Ur"]
        start = [*beside.enter, "unshare", "-n"] if beside else ["unshare", *rights, "-n"]
        self._holder = subprocess.Popen([*start, *_HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", "no network namespace could be made"
        self.pid = self._holder.pid
        owner = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        self.enter: list[str] = ["nsenter", "-t", str(self.pid), *owner, "-n"]

    def do(self, *commands: str) -> str:
        """Run commands in it, one after the other; return what the last one said."""
        said = ""
        for command in commands:
            said = subprocess.run([*self.enter, *command.split()], check=True, capture_output=True, text=True).stdout
        return said

    def close(self) -> None:
        """Let it go."""
        self._holder.communicate()


class Done:
    """How a script ended."""

    def __init__(self, returncode: int, stdout: str) -> None:
        self.returncode = returncode
        self.stdout = stdout


class ProbeNet:
    """The observer has a bridge, each node a port of it; nodes are named by number, from 1."""

    def __init__(self, nodes: int = 1) -> None:
        self._gates: dict[int, subprocess.Popen[str]] = {}
        self._servers: list[subprocess.Popen[bytes]] = []
        self.observer = Namespace()
        self.nodes = {number: Namespace(self.observer) for number in range(1, nodes + 1)}
        self.observer.do(
            "ip link set lo up",
            "ip link add ens3 type bridge forward_delay 0 mcast_snooping 0",
            f"ip addr add {OBSERVER}/24 dev ens3",
            "ip addr add fd51::34/64 dev ens3 nodad",
            # A bridge whose ports are all disabled has no carrier, and forgets its neighbours.
            "ip link add idle type veth peer name idle-end",
            "ip link set idle master ens3 up",
            "ip link set idle-end up",
        )
        for number, node in self.nodes.items():
            self.observer.do(
                f"ip link add port{number} address 02:00:00:00:01:0{number} type veth "
                f"peer name ens3 address {self.mac(number)} netns {node.pid}",
                f"ip link set port{number} master ens3 up",
            )
            node.do(
                f"ip addr add 10.200.51.10{number}/24 dev ens3",
                f"ip addr add fd51::10{number}/64 dev ens3 nodad",
                "ip link set ens3 up",
            )
        self.observer.do("ip link set ens3 up")

    def __enter__(self) -> ProbeNet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.kill()
            server.communicate()
        for gate in self._gates.values():
            gate.communicate()
        for node in self.nodes.values():
            node.close()
        self.observer.close()

    @staticmethod
    def mac(node: int) -> str:
        """Return a node's MAC."""
        return f"fa:16:3e:00:00:0{node}"

    def hold(self, node: int) -> None:
        """Give a node the VIP, silently."""
        self.nodes[node].do(f"ip addr add {VIP}/32 dev ens3", f"ip addr add {VIP6}/128 dev ens3 nodad")

    def serve(self, node: int) -> None:
        """Let a service run on a node, on PORT of all its addresses."""
        command = [*self.nodes[node].enter, sys.executable, "-c", _SERVER]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"

    def drop(self, node: int) -> None:
        """Take the VIP from a node, silently."""
        self.nodes[node].do(f"ip addr del {VIP}/32 dev ens3", f"ip addr del {VIP6}/128 dev ens3")

    def await_answer(self, address: str = VIP) -> None:
        """Wait until the VIP answers: a link needs a moment to come up."""
        deadline_s = time.monotonic() + 5.0
        while True:
            try:
                self.observer.do(f"ping -n -c 1 -W 0.2 {address}")
            except subprocess.CalledProcessError:
                assert time.monotonic() < deadline_s, f"{address} does not answer"
                continue
            return

    def cut(self, node: int, seconds: float, *, phase_s: float = 0.0) -> tuple[float, float]:
        """Drop all of a node's frames for a time; return when that began and ended, on CLOCK_MONOTONIC.

        `phase_s` moves the beginning against whatever the caller was woken by.
        """
        gate = self._gates.get(node)
        if gate is None:
            command = [*self.observer.enter, sys.executable, "-c", _GATE, f"port{node}"]
            gate = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._gates[node] = gate
            assert gate.stdout is not None
            assert gate.stdout.readline() == "ready\n"
        assert gate.stdin is not None
        assert gate.stdout is not None
        gate.stdin.write(f"{phase_s} {seconds}\n")
        gate.stdin.flush()
        shut_s, opened_s = (float(word) for word in gate.stdout.readline().split())
        return shut_s, opened_s

    def door(self, *, root: bool = True, python: str | None = sys.executable) -> LocalDoor:
        """Return a connection to the observer."""
        return LocalDoor(self.observer, root=root, python=python)


class LocalDoor:
    """A `Door` to a namespace of this machine; with `root=False` nothing there has a right to raw sockets."""

    def __init__(self, namespace: Namespace, *, root: bool = True, python: str | None = sys.executable) -> None:
        drop = "-all" if not root else ""
        self._enter = [*namespace.enter, *(["setpriv", "--inh-caps", drop, "--bounding-set", drop] if drop else [])]
        self._python = python
        self._root = root
        self.spawned: list[subprocess.Popen[bytes]] = []

    def run(self, script: str, *, timeout_s: float, sudo: bool = False, what: str) -> Result:
        """See Door."""
        for python in ("python3", "/usr/libexec/platform-python"):
            script = script.replace(python, self._python or "no-such-python")
        done = subprocess.run(
            [*self._enter, "sh"], input=script, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        return Done(done.returncode, done.stdout)

    def spawn(self, argv: Sequence[str], *, sudo: bool = False) -> subprocess.Popen[bytes]:
        """See Door."""
        pipe = subprocess.PIPE
        process = subprocess.Popen([*self._enter, *argv], stdin=pipe, stdout=pipe, stderr=pipe)
        self.spawned.append(process)
        return process

    def can_sudo(self) -> bool:
        """See Door."""
        return self._root


def can_make_namespaces() -> str | None:
    """Return None, or what is missing for a ProbeNet."""
    rights = [] if os.geteuid() == 0 else ["-Ur"]
    done = subprocess.run(["unshare", *rights, "-n", "ip", "link"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no network namespaces: {done.stderr.strip()}"
