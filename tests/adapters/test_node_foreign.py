"""On a node with a keepalived.conf of somebody else: its bytes and its instances stay as they are."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.adapters.node import Node
from haos.core.keepalived import (
    INCLUDE_LINE,
    MAIN_PATH,
    vrids_in_use,
)
from haos.core.nodeconf import config_current
from haos.errors import StepError
from tests.adapters.fault_cases import withdraw
from tests.adapters.node_cases import (
    FOREIGN,
    MAIN,
    SOURCE,
    bring_up,
    config_for,
    daemon,
    removal,
    spoilt,
)
from tests.adapters.node_sandbox import MAC, Sandbox

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    "text", [FOREIGN, FOREIGN.rstrip("\n"), f"{FOREIGN}\n\n", f"# caf\u00e9\n{FOREIGN}# end"], ids=range(4)
)
def test_foreign_configuration_keeps_its_bytes(box: Sandbox, node: Node, text: str) -> None:
    box.write(MAIN_PATH, text)
    box.sh(f"chmod 604 {MAIN_PATH}; chown 0:0 {MAIN_PATH}")
    before = box.snapshot()
    config = config_for(node)
    assert node.configure(config)
    assert not node.configure(config)
    assert config_current(config, node.facts(MAC))
    assert box.read(MAIN_PATH).decode().splitlines()[-1] == INCLUDE_LINE
    node.remove(removal())
    assert box.read(MAIN_PATH) == text.encode()
    assert box.snapshot() == before


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_foreign_configuration_without_instances(box: Sandbox, node: Node, text: str) -> None:
    box.write(MAIN_PATH, text)
    node.configure(config_for(node))
    assert box.read(MAIN_PATH).decode() == f"{text}{INCLUDE_LINE}\n"
    node.remove(removal())
    assert box.read(MAIN_PATH) == text.encode()


def test_foreign_bytes_that_are_no_text_survive(box: Sandbox, node: Node) -> None:
    text = b"# \xff\xfe\r\n" + FOREIGN.encode()
    box.write(MAIN_PATH, text)
    node.configure(config_for(node))
    assert box.read(MAIN_PATH) == text + INCLUDE_LINE.encode() + b"\n"
    node.remove(removal())
    assert box.read(MAIN_PATH) == text


def test_foreign_configuration_behind_a_link_stays_a_link(box: Sandbox, node: Node) -> None:
    box.write("/etc/elsewhere/ka.conf", FOREIGN)
    box.sh(f"mkdir -p /etc/keepalived; ln -s /etc/elsewhere/ka.conf {MAIN_PATH}")
    node.configure(config_for(node))
    assert INCLUDE_LINE in box.read("/etc/elsewhere/ka.conf").decode()
    node.remove(removal())
    assert box.sh(f"readlink {MAIN_PATH}").strip() == "/etc/elsewhere/ka.conf"
    assert box.read("/etc/elsewhere/ka.conf") == FOREIGN.encode()


def test_running_foreign_instance_is_undisturbed_and_edits_survive(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, FOREIGN)
    box.sh("systemctl start keepalived.service")
    box.until(lambda: box.holds("10.200.51.77"), "the foreign instance Active")
    pids = daemon(box)
    bring_up(node, box)
    withdraw(node)
    assert node.heal()
    box.write(MAIN_PATH, box.read(MAIN_PATH) + b"# added later\n")
    node.remove(removal())
    assert box.read(MAIN_PATH) == FOREIGN.encode() + b"# added later\n"
    assert daemon(box) == pids
    box.until(lambda: not box.holds("10.200.51.9"), "our VIP gone")
    assert box.holds("10.200.51.77")
    transitions = re.findall(r"\(VI_1\) Entering (\w+)", box.sh("cat /run/fake/keepalived.log"))
    assert transitions == ["BACKUP", "MASTER"]


def test_foreign_daemon_that_had_nothing_to_run_is_stopped_again(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, "! vrrp_instance VI_1 {\n")
    box.sh("systemctl disable keepalived.service")
    before = box.snapshot()
    bring_up(node, box)
    assert node.facts(MAC).daemon_enabled
    node.remove(removal())
    assert box.snapshot() == before


def owns(box: Sandbox) -> None:
    """Have an instance of the operator's own run, and be Active, and still run after haos has gone."""
    box.sh("systemctl reload keepalived.service")
    box.until(lambda: box.holds("10.200.51.77"), "the operator's own VIP")
    pids = daemon(box)
    done = Node(box, "ha_first").remove(removal()).done
    assert daemon(box) == pids
    assert "left keepalived running: it runs what is not haos's" in done
    assert box.sh("systemctl is-enabled keepalived.service") == "enabled\n"
    box.until(lambda: not box.holds("10.200.51.9"), "our VIP gone")
    assert box.holds("10.200.51.77")
    assert not re.search(r"^(stop|restart|disable)", box.sh("cat /run/fake/systemctl.log"), re.MULTILINE)


def test_instance_that_was_added_to_our_keepalived_conf_goes_on(box: Sandbox, node: Node) -> None:
    box.sh("systemctl disable keepalived.service")
    bring_up(node, box)
    box.write(MAIN_PATH, box.read(MAIN_PATH) + FOREIGN.encode())
    box.sh(": >/run/fake/systemctl.log")
    owns(box)


def test_instance_of_a_daemon_that_did_not_run_at_first_goes_on(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, "include more/*.conf\n")
    box.write("/etc/keepalived/more/a.conf", FOREIGN)
    box.sh("systemctl disable keepalived.service")
    bring_up(node, box)
    box.sh(": >/run/fake/systemctl.log")
    owns(box)
    assert box.read(MAIN_PATH) == b"include more/*.conf\n"


def test_instance_that_only_keepalived_itself_finds_goes_on(box: Sandbox, node: Node) -> None:
    """Behind a condition, say: what it runs counts like what its files tell."""
    box.write(MAIN_PATH, "$HOW=vrrp_instance\n" + FOREIGN.replace("vrrp_instance", "$HOW"))
    bring_up(node, box)
    assert node.facts(MAC).other_instances == (), "or the test shows nothing"
    box.sh(": >/run/fake/systemctl.log")
    owns(box)


def test_removal_that_was_killed_before_the_reload_is_completed(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, FOREIGN)
    bring_up(node, box)
    box.sh("mv /etc/keepalived/haos.d/web.conf /etc/keepalived/haos.d/web.conf.withdrawn")
    box.write(MAIN_PATH, FOREIGN)
    node.remove(removal())
    box.until(lambda: not box.holds("10.200.51.9"), "our VIP gone")
    runs = "kill -$(keepalived --signum=JSON) $(cat /run/fake/pid); sleep 0.1; cat /tmp/keepalived.json 2>/dev/null"
    box.until(lambda: "VI_1" in box.sh(runs), "keepalived says what it runs")
    assert "haos_web" not in box.sh(runs)


def test_our_keepalived_conf_with_an_edit_is_kept(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    ours = box.read(MAIN_PATH)
    box.write(MAIN_PATH, ours + FOREIGN.encode())
    config = config_for(node)
    assert config.include_line == INCLUDE_LINE
    assert not node.configure(config)
    node.remove(removal())
    assert box.read(MAIN_PATH) == (ours + FOREIGN.encode()).replace(f"{INCLUDE_LINE}\n".encode(), b"")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda config: replace(config, source=ip_address("10.200.51.99")), "not an address of ens3"),
        (lambda config: replace(config, peers=(SOURCE,)), "is this node itself"),
        (lambda config: replace(config, vrid=51), "VRID 51 is used on ens3 by another instance of this node, VI_1"),
        (lambda config: spoilt(config, "advert_int", "advert_bla"), "Unknown keyword 'advert_bla'"),
        (lambda config: spoilt(config, "    }\n}\n", "    }\n"), "missing '}'s"),
        (lambda config: replace(config, include_line=None, files=(*config.files, MAIN)), "not haos's has appeared"),
    ],
    ids=["source", "peer", "vrid", "keyword", "brace", "raced"],
)
def test_refused_configuration_changes_nothing(box: Sandbox, node: Node, spoil: object, reason: str) -> None:
    box.write(MAIN_PATH, FOREIGN)
    before = box.snapshot().replace("/run/haos.lock", "")
    config = config_for(node)
    assert callable(spoil)
    with pytest.raises(StepError, match=re.escape(reason)) as caught:
        node.configure(spoil(config))
    assert "configuring pair web on ha_first failed" in str(caught.value)
    box.sh("rm -f /run/haos.lock")
    assert box.snapshot() == before


def test_vrid_in_an_included_file_is_found(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, "include extra/*.conf\n")
    box.write("/etc/keepalived/extra/one.conf", FOREIGN.replace("51\n", "7\n"))
    assert vrids_in_use(node.facts(MAC), 4) == {7}, "so that another is chosen"
    with pytest.raises(StepError, match="VRID 7 is used on ens3 by another instance of this node, VI_1"):
        node.configure(config_for(node))


def test_same_vrid_is_free_on_another_device_and_family(box: Sandbox, node: Node) -> None:
    other = FOREIGN.replace("51\n", "7\n").replace("interface ens3", "interface far")
    six = other.replace("interface far", "interface ens3").replace("VI_1", "VI_6")
    six = re.sub(r"10\.200\.51\.(\d+)", r"2001:db8:51::\1", six)
    box.write(MAIN_PATH, other + six)
    assert node.configure(config_for(node))


def test_message_that_was_there_before_is_no_reason_to_refuse(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, FOREIGN)
    assert box.run("keepalived --config-test", timeout_s=10).returncode != 0
    assert node.configure(config_for(node))


def test_node_that_haos_never_touched_is_left_alone(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, FOREIGN)
    box.sh("systemctl start keepalived.service; ip address add 10.200.51.9/32 dev ens3; : >/run/fake/systemctl.log")
    before = box.snapshot()
    assert node.remove(removal(purge=True)).done == ()
    assert box.snapshot() == before
    assert not re.search(r"^(stop|reload|restart|disable)", box.sh("cat /run/fake/systemctl.log"), re.MULTILINE)


def test_present_configuration_is_looked_at_with_all_that_it_includes(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, "include more/*.conf\n")
    box.write("/etc/keepalived/more/a.conf", f"global_defs {{\n enable_script_security\n}}\n{FOREIGN}")
    facts = node.facts(MAC)
    assert facts.other_instances == ("VI_1",)
    assert facts.script_security
    assert any("invalid number 'ens3'" in line for line in facts.config_messages)
    assert {"vmac", "json", "bfd"} <= facts.features


def test_own_pairs_are_no_others(box: Sandbox, node: Node) -> None:
    box.write(MAIN_PATH, FOREIGN)
    bring_up(node, box)
    facts = node.facts(MAC)
    assert facts.other_instances == ("VI_1",)
    assert not facts.script_security
