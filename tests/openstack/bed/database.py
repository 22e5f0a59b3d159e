"""MariaDB, and the databases with their schemas: filled once, kept as a cold copy, laid out anew for an empty bed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.openstack.bed.model import DATABASE_PORT, PASSWORD, RUN, BedError
from tests.openstack.bed.process import Daemon, Processes

NAME = "mariadb"
SOCKET = RUN / "mysql.sock"
ANSWER_S = 60.0
OWNERS = {
    "keystone": "keystone",
    "neutron": "neutron",
    "placement": "placement",
    "glance": "glance",
    "nova_api": "nova",
    "nova": "nova",
    "nova_cell0": "nova",
}
"""database -> the service whose it is"""


@dataclass(frozen=True)
class Database:
    """MariaDB over one directory."""

    data: Path
    processes: Processes

    def daemon(self) -> Daemon:
        """Return mariadbd, sparing with the disk: a bed whose machine crashes starts from the copy."""
        options = {
            "user": "root",
            "datadir": self.data,
            "socket": SOCKET,
            "pid-file": RUN / "mysqld.pid",
            "bind-address": "127.0.0.1",
            "port": DATABASE_PORT,
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-log-file-size": "32M",
            "innodb-buffer-pool-size": "128M",
            "max-connections": 500,
            "performance-schema": "OFF",
        }
        flags = ["--no-defaults", "--skip-name-resolve", *(f"--{key}={value}" for key, value in options.items())]
        return Daemon(NAME, ("mariadbd", *flags))

    def make(self) -> None:
        """Make the empty databases' directory."""
        self.data.mkdir(parents=True, exist_ok=True)
        argv = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={self.data}"]
        self.processes.run(
            [*argv, "--auth-root-authentication-method=normal", "--skip-test-db"], log="mariadb-install"
        )

    def start(self) -> None:
        """Start it; `wait` tells when it answers."""
        self.processes.start(self.daemon())

    def wait(self) -> None:
        """Wait until it answers."""
        self.processes.wait("MariaDB answers", self.answers, ANSWER_S, daemon=NAME)

    def answers(self) -> bool:
        """Tell whether it answers."""
        return _client("SELECT 1").returncode == 0

    def query(self, statement: str) -> str:
        """Run SQL as root and return the bare rows; raises BedError with MariaDB's complaint."""
        done = _client(statement)
        if done.returncode:
            raise BedError(f"MariaDB: {done.stderr.strip()}")
        return done.stdout

    def count_since_start(self, table: str, column: str, condition: str) -> int:
        """Count the rows whose time is later than MariaDB's own start: what has reported to this bed."""
        started = "(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME')"
        since = f"UTC_TIMESTAMP() - INTERVAL {started} SECOND"
        return int(self.query(f"SELECT COUNT(*) FROM {table} WHERE {column} > {since} AND {condition}"))  # noqa: S608

    def create_all(self) -> None:
        """Create the services' databases and accounts."""
        self.query("".join(create_statements()))


def create_statements() -> list[str]:
    """Return the SQL for databases and accounts."""
    statements = []
    for database, owner in OWNERS.items():
        account = f"'{owner}'@'127.0.0.1'"
        statements += [
            f"CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8;",
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{PASSWORD}';",
            f"GRANT ALL ON {database}.* TO {account};",
        ]
    return statements


def version() -> str:
    """Return MariaDB's version: files of one are no good for an earlier."""
    return subprocess.run(["mariadbd", "--version"], capture_output=True, text=True, check=True).stdout


def copy(source: Path, target: Path) -> None:
    """Copy data at rest whole or not at all, sparse files staying sparse."""
    half = target.with_name(f"{target.name}.part")
    for path in (half, target):
        shutil.rmtree(path, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--sparse=always", str(source), str(half)], check=True)
    half.rename(target)


def _client(statement: str) -> subprocess.CompletedProcess[str]:
    argv = ["mariadb", "--no-defaults", "-uroot", f"--socket={SOCKET}", "-N", "-B", "-e", statement]
    return subprocess.run(argv, capture_output=True, text=True, check=False)
