"""haos with the least that it needs, on real instances: exactly its access rules, a sudo password, no secret told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from haos.core.access import AccessRule
from haos.lab.paths import LabPaths
from tests.contract.client import Client, Credentials
from tests.lab.main_job import CREATE, NODES, neutron_state, on
from tests.security.access_rules import ALL, READ, load
from tests.security.calls import BELOW
from tests.security.marks import Mark, leaks
from tests.security.processes import Seen, watching

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

SECRET, SUDO = Mark("Kw3appCredential"), Mark("Vb9sudoPassword")
MARKS = (SECRET, SUDO)
RULES = "/etc/sudoers.d/90-cloud-init-users"
CLOUDS = """\
clouds:
  least:
    auth_type: v3applicationcredential
    auth: {{auth_url: {url}, application_credential_id: {id}}}
    haos: {{ssh_config: {ssh_config}}}
"""


@dataclass
class Least:
    """Somebody with an application credential that has access rules."""

    lab: str
    home: Path
    rules: frozenset[AccessRule]
    secret: str = SECRET.value

    def __post_init__(self) -> None:
        self.home.mkdir()
        clouds = yaml.safe_load(LabPaths(self.lab).clouds_yaml.read_text())["clouds"]
        url = clouds[self.lab]["auth"]["auth_url"]
        member = Client(url)
        assert member.login(Credentials(url, "demo", "lab", "demo")).status == 201
        given = [
            {"service": rule.service, "method": rule.method, "path": f"{BELOW[rule.service]}{rule.path}"}
            for rule in self.rules
        ]
        body = {"name": f"least-{len(given)}", "secret": self.secret, "access_rules": given}
        path = f"/users/{member.user_id}/application_credentials"
        made = member.keystone("POST", path, {"application_credential": body})
        assert made.status == 201, made
        member.close()
        key = made.body["application_credential"]["id"]
        text = CLOUDS.format(url=url, id=key, ssh_config=LabPaths(self.lab).ssh_config)
        (self.home / "clouds.yaml").write_text(text)

    def haos(self, *argv: str, code: int = 0) -> str:
        """Run haos with all that it can say switched on; return all that it said, or wrote."""
        environ = {
            **os.environ,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "OS_CLOUD": "least",
            "OS_CLIENT_CONFIG_FILE": str(self.home / "clouds.yaml"),
            "OS_APPLICATION_CREDENTIAL_SECRET": self.secret,
            "HAOS_SUDO_PASSWORD": SUDO.value,
        }
        more = ("-v", "--debug", "--timing", "--log-file", "haos.log", "--accept-new-host-keys")
        command = [sys.executable, "-m", "haos", *argv, *(more[:-1] if argv[0] == "list" else more)]
        ended = subprocess.run(
            command, cwd=self.home, env=environ, capture_output=True, text=True, check=False, timeout=300
        )
        assert ended.returncode == code, f"haos {argv}: {ended.returncode}\n{ended.stdout}\n{ended.stderr[-3000:]}"
        return f"{ended.stdout}\n{ended.stderr}"

    def written(self) -> str:
        """Return all that haos has written into files."""
        return "\n".join(path.read_text(errors="replace") for path in self.home.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def sudo_with_password(lab_name: str) -> Iterator[None]:
    """Let sudo on every instance want the user's password, which is marked."""
    machines = (*NODES, "observer")
    quoted = SUDO.value.replace("'", "'\"'\"'")
    for name in machines:
        on(lab_name, name, f"sudo cp -p {RULES} /root/kept; printf '%s' 'debian:{quoted}' | sudo chpasswd")
        on(lab_name, name, f"echo 'debian ALL=(ALL) ALL' | sudo tee {RULES} >/dev/null")
    yield
    for name in machines:
        script = f"mv /root/kept {RULES}; passwd -q -d debian"
        on(lab_name, name, f"printf '%s\\n' '{quoted}' | sudo -S -p '' sh -c '{script}'")


@pytest.fixture(scope="module")
def least(lab_name: str, tmp_path_factory: pytest.TempPathFactory) -> Least:
    return Least(lab_name, tmp_path_factory.mktemp("least") / "home", load(ALL))


def test_the_whole_job_with_exactly_these_rules_and_no_secret_told(
    least: Least, sudo_with_password: None, lab_name: str
) -> None:
    before = neutron_state(lab_name)
    files = ("--report", "r.html", "--junit", "r.xml", "--raw", "r.csv")
    faults = [word for fault in ("stop", "port-down", "pause") for word in ("--fault", fault)]
    pair = "-".join(NODES)
    said = []
    with watching() as seen:
        said.append(least.haos(*CREATE, "--yes", "--probe", "tcp:22", "--floating-ip"))
        said.append(least.haos("status", pair, "-f", "json"))
        said.append(least.haos("list", "-f", "json"))
        said.append(least.haos("failover-test", pair, "--yes", *faults, *files, "-f", "json"))
        said.append(least.haos("switchover", pair, "--yes"))
        said.append(least.haos("teardown", pair, "--yes", "--purge"))
    assert neutron_state(lab_name) == before
    assert all(leaks(text, MARKS) == [] for text in said)
    assert leaks(least.written(), MARKS) == []
    check_coverage(seen)
    assert seen.with_secrets(MARKS) == {}


def check_coverage(seen: Seen) -> None:
    """Fail unless the programs were seen that are started with, or given, a secret."""
    commands = b"\n".join(seen.commands)
    for program in (b"ssh\0-o", b"ControlMaster=no", b"sudo\0-S", b"haos.cli.guard", b"sys.stdin.buffer"):
        assert program in commands, program
    guards = [around for command, around in seen.environments.items() if b"haos.cli.guard" in command]
    assert guards
    assert not any(SUDO.is_in(around.decode(errors="replace")) for around in guards)


def test_reading_with_the_rules_for_reading(
    lab_name: str, tmp_path: Path, sudo_with_password: None, least: Least
) -> None:
    least.haos(*CREATE, "--yes", "--no-verify")
    reader = Least(lab_name, tmp_path / "home", load(READ))
    try:
        assert json.loads(reader.haos("list", "-f", "json").partition("\n\n")[0])
        reader.haos("status", "-".join(NODES))
        reader.haos("check", "-".join(NODES))
        refused = reader.haos("teardown", "-".join(NODES), "--yes", "--purge", code=6)
        assert "the application credential's access rules lack" in " ".join(refused.split())
    finally:
        least.haos("teardown", "-".join(NODES), "--yes", "--purge")
