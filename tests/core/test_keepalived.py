"""What haos writes for keepalived, held against golden files and keepalived's own test."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from haos.core import keepalived
from haos.core.keepalived import (
    INCLUDE_LINE,
    MAIN_PATH,
    instance_name,
    is_ours,
    main_file,
    parse_priorities,
    parse_priorities_of_text,
    parse_roles,
    parse_roles_of_text,
    vrids_in_use,
    vrids_of,
)
from haos.core.model import Member, Mode, Pair, Role, ServiceCheck, Timing
from haos.core.node import NodeConfig, NodeFacts, NodeFile
from haos.core.nodeconf import config_current, differences, ill_kept, node_config
from haos.core.render import bfd_name, check_files, drop_in, pair_file, release_script
from haos.errors import UsageError

FIXTURES = Path(__file__).parents[2] / "fixtures" / "keepalived"
RECORD = "haos/1 n=web m=garp a=300 d=5 v=0 N=kTxBMQzDTfStlSc80vhHyg:240:p,4iDi2fTeSkaS-rt2cELIXg:230:pgk"
MEMBERS = (
    Member("913c4131-0cc3-4df4-ad95-273cd2f8475a", 240),
    Member("e220e2d9-f4de-4a46-92fa-bb767042c85e", 230),
)
PAIR = Pair("web", "network", "project", ip_address("10.200.51.9"), 7, MEMBERS)
SOURCE, PEER = ip_address("10.200.51.32"), ip_address("10.200.51.33")
SOURCE6, PEER6 = ip_address("2001:db8:51::32"), ip_address("2001:db8:51::33")
PAIR6 = replace(PAIR, name="web6", vip=ip_address("2001:db8:51::9"))
VMAC = replace(PAIR, mode=Mode.VMAC)
BFD = replace(PAIR, timing=Timing(bfd=True))
CHECKED = replace(PAIR, checks=(ServiceCheck("tcp:443"), ServiceCheck("systemctl is-active -q nginx")))
FACTS = NodeFacts("ha-first", "Debian", "apt", True, "ens3", (SOURCE,), "2.2.7")


def render(**changes: Any) -> NodeFile:
    values = {"pair": PAIR, "member_index": 0, "interface": "ens3", "source": SOURCE, "peers": (PEER,)}
    return pair_file(**{**values, "record": RECORD, **changes})


def configured(facts: NodeFacts = FACTS) -> NodeConfig:
    return node_config(PAIR, facts, 0, SOURCE, (PEER,))


def after(config: NodeConfig, facts: NodeFacts = FACTS) -> NodeFacts:
    """Return the facts of a node that carries all of a configuration."""
    texts = {file.path: file.text for file in config.files}
    main = texts.get(MAIN_PATH, f"{facts.main_config}{config.include_line}\n")
    return replace(
        facts,
        main_config=main,
        pair_files={config.pair: texts[keepalived.pair_path(config.pair)]},
        drop_in=texts[keepalived.DROP_IN_PATH],
        release_script=texts[keepalived.RELEASE_PATH],
    )


@pytest.mark.parametrize(
    ("golden", "file"),
    [
        ("pair-ipv4.conf", render()),
        ("pair-ipv6.conf", render(pair=PAIR6, source=SOURCE6, peers=(PEER6,), member_index=1)),
        ("pair-vmac.conf", render(pair=VMAC)),
        ("pair-vmac-ipv6.conf", render(pair=replace(PAIR6, mode=Mode.VMAC), source=SOURCE6, peers=(PEER6,))),
        ("pair-bfd-active.conf", render(pair=BFD)),
        ("pair-bfd-backup.conf", render(pair=BFD, member_index=1, source=PEER, peers=(SOURCE,))),
        ("pair-checks.conf", render(pair=CHECKED)),
        ("pair-nopreempt.conf", render(pair=replace(PAIR, timing=Timing(1.0, preempt=False)))),
        ("main.conf", main_file()),
        ("main-realtime.conf", main_file(realtime=True)),
        ("drop-in.conf", drop_in()),
        ("release-vips", release_script()),
    ],
)
def test_files_are_as_recorded(golden: str, file: NodeFile) -> None:
    assert file.text == (FIXTURES / golden).read_text()


def test_pair_file_has_no_globals() -> None:
    assert "global_defs" not in render().text


def test_timing_priority_and_all_peers_are_rendered() -> None:
    third = ip_address("10.200.51.35")
    text = render(pair=replace(PAIR, timing=Timing(0.05, 0)), member_index=1, peers=(PEER, third)).text
    assert "    advert_int 0.05\n    preempt_delay 0\n" in text
    assert "    priority 230\n" in text
    assert f"        {PEER}\n        {third}\n" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"interface": "ens3;reboot"},
        {"interface": "a b"},
        {"record": "two\nlines"},
        {"record": "haos/1 n=$(reboot)"},
        {"peers": ()},
        {"peers": (SOURCE,)},
        {"peers": (PEER6,)},
        {"source": ip_address("fe80::1%ens3"), "peers": (PEER6,), "pair": PAIR6},
        {"pair": replace(PAIR, vrid=256)},
        {"pair": replace(PAIR, timing=Timing(bfd=True)), "peers": (PEER, ip_address("10.200.51.35"))},
        {"pair": replace(PAIR, timing=Timing(0.001))},
        {"pair": replace(PAIR, timing=Timing(0.3, 1001))},
    ],
)
def test_what_must_not_get_into_a_file_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        render(**changes)


@pytest.mark.parametrize("name", ["", "../x", "a b", "$(id)", "x" * 42, "a\nb", "-a"])
def test_bad_pair_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        instance_name(name)


def test_keepalived_conf_is_ours_until_somebody_adds_to_it() -> None:
    assert is_ours(main_file().text)
    assert is_ours(main_file(realtime=True).text + "\n")
    assert not is_ours(main_file().text + "vrrp_instance mine {\n}\n")
    assert not is_ours(f"global_defs {{\n}}\n{INCLUDE_LINE}\n")
    assert not is_ours("")


def test_node_without_keepalived_conf_gets_one() -> None:
    config = configured()
    assert config.include_line is None
    assert MAIN_PATH in {file.path for file in config.files}


def test_foreign_keepalived_conf_gets_only_a_line() -> None:
    config = configured(replace(FACTS, main_config="vrrp_instance mine {\n}\n"))
    assert config.include_line == INCLUDE_LINE
    assert MAIN_PATH not in {file.path for file in config.files}


def test_node_without_the_ports_device_cannot_be_configured() -> None:
    with pytest.raises(ValueError, match="device"):
        configured(replace(FACTS, interface=None))


@pytest.mark.parametrize("main", [None, "vrrp_instance mine {\n}\n"])
def test_configuration_is_current_only_when_all_of_it_is_there(main: str | None) -> None:
    before = replace(FACTS, main_config=main)
    config = configured(before)
    there = after(config, before)
    assert config_current(config, there)
    assert not config_current(config, before)
    assert not config_current(config, replace(there, withdrawn=frozenset({"web"})))
    assert not config_current(config, replace(there, drop_in=None))
    assert not config_current(config, replace(there, release_script="# other"))
    assert not config_current(config, replace(there, pair_files={"web": "# other"}))
    assert not config_current(config, replace(there, main_config=main))


def test_a_file_that_others_may_write_or_read_is_not_as_it_should_be() -> None:
    config = configured(FACTS)
    there = after(config)
    check, folder = keepalived.RELEASE_PATH, keepalived.HAOS_FOLDER
    kept = {folder: "750 0 0", **{file.path: f"{file.mode:o} 0 0" for file in config.files}}
    assert config_current(config, replace(there, modes=kept))
    for path, ill in ((keepalived.pair_path("web"), "644 0 0"), (check, "750 1000 0"), (folder, "777 0 0")):
        open_to_others = replace(there, modes={**kept, path: ill})
        assert differences(config, open_to_others) == (path,)
        assert ill_kept(config, open_to_others) == (path,)
    edited = replace(there, modes={**kept, check: "777 0 0"}, release_script="# other")
    assert differences(config, edited) == (check,)
    assert ill_kept(config, edited) == (), "its text differs as well"


def test_a_second_look_decides_the_same() -> None:
    config = configured()
    assert configured(after(config)) == config


def test_a_service_check_is_a_script_of_its_own_that_keepalived_accepts(tmp_path: Path) -> None:
    files = check_files(CHECKED)
    assert [(file.path, file.mode) for file in files] == [
        ("/etc/keepalived/haos.d/web.check-1", 0o750),
        ("/etc/keepalived/haos.d/web.check-2", 0o750),
    ]
    assert files[1].text.endswith("\nsystemctl is-active -q nginx\n")
    text = render(pair=CHECKED).text
    for file in files:
        script = tmp_path / Path(file.path).name
        script.write_text(file.text)
        script.chmod(0o750)
        text = text.replace(file.path, str(script))
    (tmp_path / "pair.conf").write_text(text)
    (tmp_path / "main").write_text(main_file().text.replace(keepalived.HAOS_FOLDER, str(tmp_path)))
    result = config_test(tmp_path / "main")
    # Where pytest's folders are not root's alone keepalived calls the script unsafe; anything else is our fault.
    said = [
        line for line in result.stderr.splitlines() if "Unsafe permissions" not in line and "security" not in line
    ]
    assert not said, result.stderr


def test_vrids_in_use_are_told_apart_by_ip_version() -> None:
    four = "vrrp_instance a {\n virtual_router_id 4\n virtual_ipaddress {\n 10.0.0.1/24\n }\n}\n"
    six = "vrrp_instance b {\n virtual_router_id 6\n virtual_ipaddress {\n fd00::1\n }\n}\n"
    bare = "vrrp_instance c {\n virtual_router_id 9\n}\n"
    others = frozenset(vrids_of(four + six + bare))
    assert others == {(4, 4), (6, 6), (9, None)}
    facts = replace(FACTS, other_vrids=others, pair_files={"web": render().text})
    assert vrids_in_use(facts, 4) == {4, 7, 9}
    assert vrids_in_use(facts, 6) == {6, 9}


def test_roles_are_read_from_the_json_dump() -> None:
    text = (FIXTURES / "dump.json").read_text()
    assert parse_roles(text) == {"haos_web": Role.ACTIVE}
    for state, role in ((0, Role.UNKNOWN), (1, Role.BACKUP), (3, Role.FAULT), (98, Role.UNKNOWN)):
        assert parse_roles(text.replace('"state":2', f'"state":{state}')) == {"haos_web": role}
    newer = f'{{"vrrp":{text}}}'  # json_version 2 wraps the list
    assert parse_roles(newer) == {"haos_web": Role.ACTIVE}


@pytest.mark.parametrize("text", ["", "[", "[{}]", '{"x": 1}', "[1]", "null"])
def test_half_a_json_dump_says_nothing(text: str) -> None:
    assert parse_roles(text) is None


def test_roles_are_read_from_the_text_dump() -> None:
    text = (FIXTURES / "dump.data").read_text()
    assert parse_roles_of_text(text) == {"haos_web": Role.ACTIVE}
    two = text + " VRRP Instance = other\n   VRRP Version = 2\n   State = FAULT\n"
    assert parse_roles_of_text(two) == {"haos_web": Role.ACTIVE, "other": Role.FAULT}


def config_test(path: Path) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("keepalived", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if tool is None:
        assert not os.environ.get("CI"), "keepalived is missing: apt-get install keepalived"
        pytest.skip("keepalived is missing: apt-get install keepalived")
    # keepalived wants to see the interface, and one that is not a loopback.
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c"]
    script = f"ip link add ens3 type veth peer name far && exec {tool} --config-test -f {path}"
    argv = [*alone, script]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("pair", "source", "peer"),
    [
        (PAIR, SOURCE, PEER),
        (PAIR6, SOURCE6, PEER6),
        (VMAC, SOURCE, PEER),
        (replace(PAIR6, mode=Mode.VMAC), SOURCE6, PEER6),
        (replace(PAIR, timing=Timing(preempt=False)), SOURCE, PEER),
        (BFD, PEER, SOURCE),
        (replace(BFD, name="production-web-01-production-web-02"), PEER, SOURCE),
    ],
    ids=["garp", "garp6", "vmac", "vmac6", "nopreempt", "bfd", "bfd-long"],
)
def test_keepalived_accepts_it(tmp_path: Path, pair: Pair, source: Any, peer: Any, strict: bool) -> None:
    rendered = pair_file(
        pair=replace(pair, name="a.b_c-d" if len(pair.name) < 10 else pair.name),
        member_index=int(pair.timing.bfd),
        interface="ens3",
        source=source,
        peers=(peer,),
        record=RECORD,
    )
    (tmp_path / "pair.conf").write_text(rendered.text)
    main = main_file().text.replace(keepalived.HAOS_FOLDER, str(tmp_path))
    if strict:
        main = f"global_defs {{\n vrrp_strict\n vrrp_version 2\n}}\ninclude {tmp_path}/pair.conf # added by haos"
    (tmp_path / "main").write_text(main)
    result = config_test(tmp_path / "main")
    assert (result.returncode, result.stderr) == (0, "")


def test_keepalived_refuses_a_broken_one(tmp_path: Path) -> None:
    """The proof that the test above reads the included file at all."""
    (tmp_path / "pair.conf").write_text(render().text.replace("advert_int", "advert_bla"))
    (tmp_path / "main").write_text(main_file().text.replace(keepalived.HAOS_FOLDER, str(tmp_path)))
    result = config_test(tmp_path / "main")
    assert result.returncode != 0
    assert "advert_bla" in result.stderr


def test_where_networkd_would_drop_the_vip_it_is_told_to_keep_it() -> None:
    networked = replace(FACTS, net_manager="systemd-networkd", network_file="/run/systemd/network/10-x.network")
    config = configured(networked)
    [keep] = [file for file in config.files if file.path.startswith("/etc/systemd/network/")]
    assert "KeepConfiguration=static" in keep.text
    there = after(config, networked)
    assert not config_current(config, there)
    assert config_current(config, replace(there, keep_file=keep.text))


def test_service_checks_must_lie_there_too() -> None:
    config = node_config(CHECKED, FACTS, 0, SOURCE, (PEER,))
    there = after(config)
    assert not config_current(config, there)
    texts = {file.path.rpartition("/")[2]: file.text for file in config.files if ".check-" in file.path}
    assert config_current(config, replace(there, check_files=texts))


def test_bfd_names_are_short_enough_and_still_differ() -> None:
    names = ["web", "x" * 26, "x" * 27, "x" * 28, "y" * 41]
    found = [bfd_name(name) for name in names]
    assert all(len(name) <= 31 for name in found)
    assert len(set(found)) == len(names)


def test_effective_priorities() -> None:
    text = (FIXTURES / "dump.json").read_text()
    assert parse_priorities(text) == {"haos_web": 240}
    assert parse_priorities(text.replace('"effective_priority":240', '"effective_priority":254')) == {"haos_web": 254}
    assert parse_priorities("") == parse_priorities("[{") == parse_priorities('[{"data":{"iname":"x"}}]') == {}
    data = (FIXTURES / "dump.data").read_text()
    assert parse_priorities_of_text(data) == {"haos_web": 240}
    two = data.replace("Effective priority = 240", "Effective priority = 4") + data.replace("haos_web", "other")
    assert parse_priorities_of_text(two) == {"haos_web": 4, "other": 240}
