"""From empty databases to schemas with users, services and endpoints; kept as a cold copy for the next empty bed."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.openstack.bed import config, database, pyenv, seed, services
from tests.openstack.bed.config import Places
from tests.openstack.bed.database import Database
from tests.openstack.bed.model import KEYSTONE_URL, PASSWORD, REGION, cache_dir
from tests.openstack.bed.process import Processes

KEPT = ("mysql", "keystone")
"""What the cold copy holds of the data: Keystone's keys belong to the identities in the database."""


@dataclass(frozen=True)
class Schemas:
    """The databases' contents before Neutron and Nova have run on them: the same for both backends."""

    at: Places
    database: Database
    processes: Processes
    clouds: Path

    def lay_out(self, say: Callable[[str], None]) -> None:
        """Bring the data of an empty bed: from the cold copy, which is made first where there is none."""
        kept = copy_directory()
        if not (kept / "complete").exists():
            say("filling the databases (once; the next empty bed starts from a copy)")
            self._fill()
            self.processes.stop(["keystone"])
            self.processes.stop([database.NAME], grace_s=30.0)
            self._keep(kept)
            return
        for name in KEPT:
            database.copy(kept / name, self.at.var / name)

    def _keep(self, kept: Path) -> None:
        shutil.rmtree(kept, ignore_errors=True)
        for name in KEPT:
            database.copy(self.at.var / name, kept / name)
        (kept / "complete").touch()

    def _fill(self) -> None:
        self.database.make()
        self.database.start()
        self.database.wait()
        self.database.create_all()
        with ThreadPoolExecutor() as pool:
            chains = [pool.submit(chain) for chain in (self._identities, self._neutron, self._others)]
        for chain in chains:
            chain.result()

    def _identities(self) -> None:
        manage = ["keystone-manage", "--config-file", str(self.at.etc / "keystone/keystone.conf")]
        owner = ["--keystone-user", "root", "--keystone-group", "root"]
        urls = [f"--bootstrap-{kind}-url={KEYSTONE_URL}/" for kind in ("admin", "internal", "public")]
        for name in ("fernet", "credential"):
            (self.at.var / "keystone" / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for command in (
            ["db_sync"],
            ["fernet_setup", *owner],
            ["credential_setup", *owner],
            ["bootstrap", "--bootstrap-password", PASSWORD, *urls, "--bootstrap-region-id", REGION],
        ):
            self.processes.run([*manage, *command], log="schema-keystone")
        self.processes.start(services.keystone(self.at))
        services.wait(self.processes, "keystone")
        seed.run(self.processes, self.clouds, "identity")

    def _neutron(self) -> None:
        argv = services.neutron(self.at).argv[1:]
        self.processes.run(["neutron-db-manage", *argv, "upgrade", "heads"], log="schema-neutron")

    def _others(self) -> None:
        etc = self.at.etc
        placement = ["placement-manage", "--config-file", str(etc / "placement/placement.conf"), "db", "sync"]
        self.processes.run(placement, log="schema-placement")
        nova = ["nova-manage", "--config-file", str(etc / "nova/nova.conf")]
        for command in (
            ["api_db", "sync"],
            ["cell_v2", "map_cell0", "--database_connection", config.database_url("nova", "nova_cell0")],
            ["db", "sync"],
            ["cell_v2", "create_cell", "--name", "cell1"],
        ):
            self.processes.run([*nova, *command], log="schema-nova")
        glance = ["glance-manage", "--config-file", str(etc / "glance/glance-api.conf"), "db_sync"]
        self.processes.run(glance, log="schema-glance")


def copy_directory() -> Path:
    """Return where the cold copy belongs that these pins, these accounts and this MariaDB would make."""
    nowhere = Places(Path("etc"), Path("var"), Path("env"))
    contents = (
        *(config.render(config.keystone(nowhere)), config.broker_url(), config.database_url("nova", "nova")),
        *(repr(seed.USERS), repr(seed.SERVICES), inspect.getsource(seed.identity), inspect.getsource(Schemas)),
        *(*database.create_statements(), database.version()),
    )
    return cache_dir() / f"database-{pyenv.digest(pyenv.LOCK.read_bytes(), *(text.encode() for text in contents))}"
