"""--explain: a script that a person could run; whatever a name holds, it runs nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from haos.core import record
from haos.core.changes import (
    AdoptPort,
    Change,
    DismissVip,
    MakeFloatingIp,
    MendGroup,
    RemovePair,
    TakeFloatingIp,
    UpdateRecord,
)
from haos.core.keepalived import INCLUDE_LINE, MAIN_PATH, main_file
from haos.core.model import AddressPair, OwnFloatingIp, SecurityGroup
from haos.core.plan import Plan
from haos.core.security import pair_rules
from haos.view.explain import explain
from haos.view.script import Variable, command, comment, with_input
from haos.workflow.create import Prepared, prepare
from haos.workflow.request import CreateRequest, ModeChoice
from tests.adapters.test_cloud_floating import SPARE
from tests.cli.conftest import Haos
from tests.fakes import World, context_of
from tests.fakes.floating import add_floating_ip

CREATE = ("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", "--name", "web")
NASTY = "a b;$(touch run)'\"\n`touch run`"


def prepared(world: World) -> Prepared:
    return prepare(CreateRequest("ha_lab", ("ha_first", "ha_second"), "web"), context_of(world))


def logins(ready: Prepared) -> dict[str, list[str]]:
    return {node.name: ["ssh", "-l", "debian", str(node.address)] for node in ready.place.nodes}


def test_create_by_hand_needs_no_change_to_look(haos: Haos, world: World) -> None:
    before = world.snapshot()
    ended = haos(*CREATE, "--explain", "-q", "--ssh-user", "debian")
    assert (ended.code, ended.err) == (0, "")
    assert world.snapshot() == before
    lines = ended.out.splitlines()
    assert lines[0] == "#!/bin/sh"
    assert lines[2] == "set -e"
    assert any(line.startswith("port=$(openstack port create --network ") for line in lines)
    assert "ssh -n -l debian 10.200.51.32 'sudo apt-get install -y --no-install-recommends keepalived'" in lines
    assert "    virtual_router_id 1" in lines
    assert "ssh -n -l debian 10.200.51.33 'sudo systemctl enable --now keepalived'" in lines


def test_nothing_to_do_by_hand(haos: Haos) -> None:
    assert haos(*CREATE, "-q").code == 0
    assert haos(*CREATE, "--explain", "-q").out == (
        "#!/bin/sh\n# What haos would do for pair web on network ha_lab, by hand.\n"
        "# Nothing: all is as it should be.\n"
    )


def test_the_script_is_a_script(haos: Haos) -> None:
    made = haos(*CREATE, "--explain", "-q").out
    assert haos(*CREATE, "-q").code == 0
    for script in (made, haos("teardown", "--explain", "--purge", "-q").out):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def run(script: str, folder: Path) -> list[list[str]]:
    """Run a script whose openstack and ssh only note what they were given; return their arguments."""
    noted = folder / "noted"
    for name in ("openstack", "ssh"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\0" {name} "$@" >>{noted}\nprintf "\\n\\0" >>{noted}\necho id-1\n')
        program.chmod(0o755)
    environ = {"PATH": f"{folder}:/usr/bin:/bin"}
    subprocess.run(["sh"], input=script, text=True, check=True, env=environ, cwd=folder, capture_output=True)
    return [part.strip("\0").split("\0") for part in noted.read_text().split("\0\n\0")[:-1]]


def test_nothing_but_openstack_and_ssh_is_run(world: World, tmp_path: Path) -> None:
    world.networks = {key: replace(network, name=NASTY) for key, network in world.networks.items()}
    for key, instance in list(world.instances.items()):
        world.instances[key] = replace(instance, name=f"{instance.name} {NASTY}")
        world.nodes[key].instance = world.instances[key]
    refs = tuple(one.id for one in world.instances.values() if one.name.startswith("ha_"))
    ready = prepare(CreateRequest(NASTY, refs, "web"), context_of(world))
    ran = run("\n".join(explain(ready.plan, ready.seen, logins(ready))), tmp_path)
    assert {argv[0] for argv in ran} == {"openstack", "ssh"}
    assert not (tmp_path / "run").exists()
    assert ["openstack", "port", "set"] in [argv[:3] for argv in ran]
    put = next(argv for argv in ran if argv[:3] == ["openstack", "port", "set"])
    assert put[put.index("--security-group") + 1] == "id-1"
    made = next(argv for argv in ran if argv[1:4] == ["security", "group", "create"])
    assert made[made.index("--description") + 1] == "haos:vip id-1"


def every_change(world: World) -> Iterator[tuple[Prepared, Plan]]:
    """Yield plans that between them hold every kind of change."""
    ready = prepared(world)
    yield ready, ready.plan
    port = next(iter(world.ports.values()))
    old = replace(pair_rules([ip_address("10.0.0.9")])[0], id="11111111-2222-4333-8444-555555555555")
    changes: tuple[Change, ...] = (
        AdoptPort(replace(port, name=NASTY), ip_address("10.0.0.9"), 7, "haos-web", "record"),
        UpdateRecord(port, "record"),
        MendGroup(SecurityGroup("g", NASTY, "p", rules=(old,)), pair_rules([ip_address("fd00::1")], bfd=True)),
        DismissVip("ha_first", port.id, (AddressPair("10.200.51.2", "00:00:5e:00:01:01"),)),
        MakeFloatingIp("public-id", NASTY, ip_address("10.200.51.2")),
        TakeFloatingIp(SPARE, ip_address("10.200.51.2")),
        RemovePair("ha_first", ready.plan.desired.configs["ha_first"]),
    )
    yield ready, replace(ready.plan, changes=changes)


def test_every_kind_of_change_has_its_commands(world: World, tmp_path: Path) -> None:
    ran = []
    for number, (ready, plan) in enumerate(every_change(world)):
        seen = replace(ready.seen, group=SecurityGroup("g", "haos-web", "p")) if number else ready.seen
        (tmp_path / str(number)).mkdir()
        ran += run("\n".join(explain(plan, seen, logins(ready))), tmp_path / str(number))
    words = [" ".join(argv[1:4]) for argv in ran if argv[0] == "openstack"]
    for each in (
        "port create",
        "port set",
        "port unset",
        "security group create",
        "security group rule",
        "floating ip create",
        "floating ip set",
    ):
        assert any(word.startswith(each) for word in words), each


def by_hand(world: World, request: CreateRequest) -> str:
    ready = prepare(request, context_of(world))
    return "\n".join(explain(ready.plan, ready.seen, logins(ready)))


def with_facts(world: World, **more: object) -> None:
    for node in world.nodes.values():
        look = node.facts
        node.facts = lambda mac, look=look: replace(look(mac), **more)  # type: ignore[method-assign,misc]


@pytest.mark.parametrize("theirs", ["! mine\n", "! mine", ""])
def test_a_line_is_added_to_a_foreign_keepalived_conf_as_haos_adds_it(
    world: World, tmp_path: Path, theirs: str
) -> None:
    with_facts(world, main_config=theirs)
    ran = run(by_hand(world, CreateRequest("ha_lab", ("ha_first", "ha_second"), "web")), tmp_path)
    [remote, _] = [argv[-1] for argv in ran if "tee -a" in argv[-1]]
    main = tmp_path / "main"
    main.write_text(theirs)
    there = remote.replace("sudo tee", "tee").replace(MAIN_PATH, str(main))
    subprocess.run(["sh"], input=there, text=True, check=True)
    assert main.read_text() == (f"{theirs}\n{INCLUDE_LINE}" if theirs == "! mine" else f"{theirs}{INCLUDE_LINE}\n")


def test_by_hand_too_the_reservation_has_any_mac_where_the_virtual_one_is_the_nodes_alone(world: World) -> None:
    request = CreateRequest("ha_lab", ("ha_first", "ha_second"), "web", mode=ModeChoice.VMAC)
    locked = by_hand(world, request)
    assert "its MAC reserves VRID 1." in locked
    assert "--mac-address 00:00:5e:00:01:01 --no-security-group" in locked
    for port in tuple(world.ports.values()):
        world.ports[port.id] = replace(port, port_security=False)
    unlocked = by_hand(world, request)
    assert "its record holds VRID 1." in unlocked
    assert "--mac-address" not in unlocked
    assert " o=1 " in unlocked


@pytest.mark.parametrize("shared", [False, True])
def test_a_change_of_mode_by_hand_stops_keepalived_where_it_has_nothing_else_to_run(
    haos: Haos, world: World, tmp_path: Path, shared: bool
) -> None:
    assert haos(*CREATE, "-q").code == 0
    if shared:
        with_facts(world, main_config=f"vrrp_instance VI_1 {{\n}}\n{INCLUDE_LINE}\n")
    request = CreateRequest("ha_lab", ("ha_first", "ha_second"), "web", mode=ModeChoice.VMAC)
    ran = run(by_hand(world, request), tmp_path)
    said = [argv[-1] for argv in ran if argv[0] == "ssh" and "10.200.51.33" in argv and "systemctl" in argv[-1]]
    rest = ["sudo systemctl daemon-reload", "sudo systemctl enable --now keepalived"]
    if shared:
        assert said == ["sudo systemctl reload keepalived", *rest, "sudo systemctl reload keepalived"]
    else:
        assert said == ["sudo systemctl stop keepalived", *rest]


def test_taking_away_by_hand_keeps_what_somebody_added_to_our_keepalived_conf(haos: Haos, tmp_path: Path) -> None:
    assert haos(*CREATE, "-q").code == 0
    inner = haos("teardown", "--explain", "-q").out.partition("<<'END'\n")[2].partition("\nEND\n")[0]
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/said\n')
    systemctl.chmod(0o755)
    main = tmp_path / "etc/keepalived/keepalived.conf"
    main.parent.mkdir(parents=True)
    text = main_file(realtime=True).text
    for theirs in ("", "! mine\n"):
        main.write_text(text + theirs)
        script = inner.replace("/etc/", f"{tmp_path}/etc/").replace(f"include {tmp_path}/etc", "include /etc")
        environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["sh"], input=script, text=True, check=True, env=environ)
        assert main.exists() == bool(theirs)
    assert main.read_text() == text.replace(f"{INCLUDE_LINE}\n", "") + "! mine\n"
    assert (tmp_path / "said").read_text().count("disable --now") == 1


@pytest.mark.real
def test_every_option_is_the_openstack_clients(haos: Haos, world: World) -> None:
    scripts = ["\n".join(explain(plan, ready.seen, logins(ready))) for ready, plan in every_change(world)]
    assert haos(*CREATE, "-q").code == 0
    reservation = next(port for port in world.ports.values() if port.device_owner == "haos:vip")
    made = add_floating_ip(world, 9, port_id=reservation.id, description=f"haos:vip {reservation.id}")
    taken = add_floating_ip(world, 10, port_id=reservation.id)
    pair = replace(record.decode(reservation), floating=OwnFloatingIp(IPv4Address(str(taken.address))))
    world.ports[reservation.id] = replace(reservation, description=record.encode(pair))
    scripts.append(haos("teardown", "--explain", "-q").out)
    assert made.id in scripts[-1]
    used: dict[str, set[str]] = {}
    for line in "\n".join(scripts).splitlines():
        for verb in re.findall(r"^(?:\w+=\$\(|for rule in \$\(| *)openstack ([a-z ]+)", line):
            used.setdefault(" ".join(verb.split()), set()).update(re.findall(r" (--[a-z-]+)", line))
    assert sorted(used) == sorted(VERBS)
    for verb, text in helps_of(used).items():
        for option in used[verb]:
            assert re.search(rf"{option}\b", text), f"openstack {verb} has no {option}"


VERBS = (
    "floating ip create",
    "floating ip delete",
    "floating ip set",
    "floating ip unset",
    "port create",
    "port delete",
    "port set",
    "port unset",
    "security group create",
    "security group delete",
    "security group rule create",
    "security group rule delete",
    "security group rule list",
)


HELPS = """
import contextlib, sys
from openstackclient.shell import main
for verb in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        main([*verb.split(), "--help"])
    print(end="\\0", flush=True)
"""
"""What the program `openstack` does, several times: to import the client takes longer than its answer."""


def helps_of(verbs: Iterable[str]) -> dict[str, str]:
    """Return what the client says of each of its commands."""
    argv = [sys.executable, "-c", HELPS, *verbs]
    *texts, end = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\0")
    assert end == ""
    helps = dict(zip(verbs, texts, strict=True))
    for verb, text in helps.items():
        assert f"{verb} [-h]" in text
    return helps


def test_words_are_quoted_and_variables_are_not() -> None:
    assert command("a b", Variable("x"), Variable("y", "text ")) == '\'a b\' "$x" "text $y"'
    assert comment("one\ntwo\rthree") == "# one two three"


def test_a_text_cannot_end_its_own_input() -> None:
    lines = list(with_input(("cat",), "one\nEND\nEND_\ntwo\n"))
    ended = subprocess.run(["sh"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    assert ended.stdout == "one\nEND\nEND_\ntwo\n"


def test_taking_away_by_hand_reverses_what_was_recorded(haos: Haos, tmp_path: Path) -> None:
    assert haos(*CREATE, "-q").code == 0
    script = haos("teardown", "--explain", "--purge", "-q").out
    ran = run(script, tmp_path)
    words = [" ".join(argv[1:4]) for argv in ran if argv[0] == "openstack"]
    assert [word.split()[:2] for word in words] == [
        ["port", "unset"],
        ["port", "unset"],
        ["security", "group"],
        ["port", "delete"],
    ]
    losses = [argv for argv in ran if argv[1:3] == ["port", "unset"]]
    assert losses[0][4] == "ip-address=10.200.51.2,mac-address=fa:16:3e:8d:dc:bb"
    assert script.count("apt-get purge -y keepalived") == 2
    assert "apt-get purge" not in haos("teardown", "--explain", "-q").out
    inner = script.partition("<<'END'\n")[2].partition("\nEND\n")[0]
    subprocess.run(["sh", "-n"], input=inner, text=True, check=True)
