"""RabbitMQ, on the control namespace's loopback and, for the agents of hypervisors, on the management network."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from tests.openstack.bed.config import BROKER_USER
from tests.openstack.bed.model import BROKER_PORT, MANAGEMENT_ADDRESS, PASSWORD, RUN, BedError
from tests.openstack.bed.process import Daemon, Processes

NAME = "rabbitmq"
ANSWER_S = 90.0
SERVERS = Path("/usr/lib/rabbitmq/lib")
DISTRIBUTION_PORT = 25673
EPMD_PORT = 14369
ERLANG = "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
"""One scheduler, and none of them spinning for work that does not come."""


def configuration() -> str:
    """Return rabbitmq.conf."""
    return f"""\
loopback_users = none
listeners.tcp.1 = 127.0.0.1:{BROKER_PORT}
listeners.tcp.2 = {MANAGEMENT_ADDRESS}:{BROKER_PORT}
default_user = {BROKER_USER}
default_pass = {PASSWORD}
log.file.level = warning
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
"""


@dataclass(frozen=True)
class Broker:
    """RabbitMQ over one directory."""

    home: Path
    etc: Path
    processes: Processes

    def daemon(self) -> Daemon:
        """Return the server; it starts its epmd itself."""
        # Debian's own /usr/sbin/rabbitmq-server would change to the user of the machine's broker.
        servers = sorted(SERVERS.glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        if not servers:
            raise BedError(f"there is no rabbitmq-server in {SERVERS}", hint="apt-get install rabbitmq-server")
        env = {
            "HOME": self.home,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": EPMD_PORT,
            "RABBITMQ_NODENAME": "haos@localhost",
            "RABBITMQ_DIST_PORT": DISTRIBUTION_PORT,
            "RABBITMQ_MNESIA_BASE": self.home / "mnesia",
            "RABBITMQ_LOG_BASE": self.processes.log,
            "RABBITMQ_CONFIG_FILE": self.etc / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.etc / "rabbitmq-plugins",
            "RABBITMQ_PID_FILE": RUN / "rabbitmq.pid",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
        }
        return Daemon(NAME, (str(servers[-1]),), env={key: str(value) for key, value in env.items()})

    def start(self) -> None:
        """Start it; `wait` tells when it takes connections."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.etc / "rabbitmq.conf").write_text(configuration())
        self.processes.start(self.daemon())

    def wait(self) -> None:
        """Wait, in the control namespace, until it takes connections."""
        self.processes.wait("RabbitMQ answers", listens, ANSWER_S, daemon=NAME)


def listens() -> bool:
    """Tell whether it takes connections where the hypervisors look for it."""
    try:
        with socket.create_connection((MANAGEMENT_ADDRESS, BROKER_PORT), 1.0):
            return True
    except OSError:
        return False
