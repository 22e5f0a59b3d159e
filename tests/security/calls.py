"""Everything that haos can ask of a cloud: each method of `OpenStackCloud` called, and every request noted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from haos.adapters.cloud import OpenStackCloud
from haos.adapters.connect import connect
from haos.core.access import AccessRule, rule_for
from haos.core.model import AddressPair, FloatingIp, InstanceAction, Port, SecurityRule
from haos.lab.api import PASSWORD, ApplicationCredential, Cloud, Server, howto
from haos.lab.api.access import read
from haos.lab.model import IdleWorld
from haos.workflow.context import PortAmendment, Reservation

BELOW = {"network": "/network", "compute": "/compute"}
"""service -> what stands before the version in its address: a lab has one address for all of them"""
FIRST = "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca"
"""The port of ha_first."""
VRRP = (SecurityRule("ingress", 4, "112"), SecurityRule("egress", 4, "112"))
OTHER = (SecurityRule("ingress", 4, "112"),)
CLOUDS = """\
clouds:
  by-password:
    auth: {{auth_url: {url}, username: demo, password: {password}, project_name: demo, user_domain_id: default,
           project_domain_id: default}}
  by-credential:
    auth_type: v3applicationcredential
    auth: {{auth_url: {url}, application_credential_id: {id}, application_credential_secret: {secret}}}
"""


def with_rules(rules: frozenset[AccessRule]) -> ApplicationCredential:
    """Return an application credential of the member's with these access rules, spelled for a lab; {}: none."""
    given = [
        {"service": rule.service, "method": rule.method, "path": f"{BELOW[rule.service]}{rule.path}"}
        for rule in rules
    ]
    return ApplicationCredential("c0ffee" * 5 + "00", "restricted", "a-secret", "demo", "demo", read(given))


@dataclass
class Bench:
    """A cloud as somebody sees it, the same as its owner does, and what is in it."""

    cloud: OpenStackCloud
    owner: OpenStackCloud
    url: str  # of the API
    asked: set[AccessRule] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def first(self) -> Port:
        """The port of ha_first as it is now."""
        return self.owner.port(FIRST)

    @property
    def network(self) -> str:
        """The id of the network."""
        return self.first.network_id

    @property
    def outside(self) -> str:
        """The id of the external network."""
        return self.owner.networks(["public"])["public"].id

    def reservation(self) -> Reservation:
        """Return a reservation that nobody has."""
        vrid = next(self.numbers)
        subnet = self.first.fixed_ips[0].subnet_id
        address, mac = ip_address("10.200.51.1") + vrid, f"00:00:5e:00:01:{vrid:02x}"
        return Reservation(self.network, subnet, address, mac, f"haos-vip-p{vrid}", f"haos-p{vrid}", "a record")

    def reserved(self) -> Port:
        """Have a reservation port."""
        return self.owner.reserve(self.reservation())

    def group(self, rules: tuple[SecurityRule, ...] = VRRP) -> str:
        """Have a security group."""
        return self.owner.make_group(f"haos-g{next(self.numbers)}", "a test's", rules).id

    def floating(self) -> FloatingIp:
        """Have a floating IP that leads to a reservation port."""
        port = self.reserved()
        return self.owner.make_floating_ip(self.outside, port.id, port.fixed_ips[0].address, "a test's")

    def note(self, method: str, url: str, _: float) -> None:
        """Keep the kind of a request of the one who is watched, as a service with an address of its own sees it."""
        service, *rest = urlsplit(url).path.strip("/").split("/")
        if service in BELOW:
            self.asked.add(rule_for(service, method, f"/{'/'.join(rest)}"))


@contextmanager
def bench(folder: Path, rules: frozenset[AccessRule] = frozenset()) -> Iterator[Bench]:
    """Have a cloud whose instances nobody boots, and look at it with these access rules, or with none."""
    credential = with_rules(rules)
    cloud = Cloud(replace(howto(), credentials=(credential,)), IdleWorld())
    cloud.power_on()
    server: Server = cloud.serve()
    try:
        config = folder / "clouds.yaml"
        url = f"{server.url}/identity/v3"
        config.write_text(CLOUDS.format(url=url, password=PASSWORD, id=credential.id, secret=credential.secret))
        owner = connect(["--os-cloud", "by-password"], config_files=[config])
        made = Bench(owner, owner, server.url)
        made.cloud = connect(["--os-cloud", "by-credential"], config_files=[config], on_request=made.note)
        yield made
    finally:
        cloud.settle()
        server.close()


def _take_floating(at: Bench) -> None:
    floating = at.floating()
    at.owner.release_floating_ip(floating)
    port = at.reserved()
    stale = replace(floating, port_id=None)  # its revision is another by now: it is read again
    at.cloud.take_floating_ip(stale, port.id, port.fixed_ips[0].address)


def _mark_floating(at: Bench) -> None:
    floating = at.floating()
    at.cloud.mark_floating_ip(replace(floating, revision=0), "a test's, still")  # its revision is another: read again


def _mark_group(at: Bench) -> None:
    [group] = at.owner.groups([at.group(VRRP)])
    at.cloud.mark_group(group, "a test's")


def _set_rules(at: Bench) -> None:
    key = at.group(OTHER)
    [group] = at.owner.groups([key])
    at.cloud.set_rules(group, (SecurityRule("ingress", 4, "tcp", 22, 22),))


def _amend(at: Bench) -> None:
    port = at.first
    pair = AddressPair(f"10.200.51.{next(at.numbers)}", port.mac)
    at.cloud.amend_port(port, PortAmendment(add_pairs=(pair,)))


def _remove_tag(at: Bench) -> None:
    port = at.reserved()
    at.owner.add_tag(port.id, "haos-fault:pause:1")
    at.cloud.remove_tag(port.id, "haos-fault:pause:1")


def _make_floating(at: Bench) -> None:
    port = at.reserved()
    at.cloud.make_floating_ip(at.outside, port.id, port.fixed_ips[0].address, "a test's")


def _action(at: Bench) -> None:
    at.cloud.instance_action(at.first.device_id, InstanceAction.PAUSE)
    at.cloud.instance_action(at.first.device_id, InstanceAction.PAUSE)  # it is so already: looked at
    at.owner.instance_action(at.first.device_id, InstanceAction.UNPAUSE)


Calls = Mapping[str, Callable[[Bench], object]]
READING: Calls = {
    "project_id": lambda at: at.cloud.project_id(),
    "networks": lambda at: at.cloud.networks(["ha_lab", at.outside]),
    "network_by_id": lambda at: at.cloud.network_by_id(at.network),
    "networks_by_id": lambda at: at.cloud.networks_by_id([at.network]),
    "subnets": lambda at: at.cloud.subnets(at.network),
    "ports": lambda at: at.cloud.ports(at.network),
    "port": lambda at: at.cloud.port(FIRST),
    "ports_by_id": lambda at: at.cloud.ports_by_id([FIRST]),
    "instances": lambda at: at.cloud.instances(["ha_first", at.first.device_id]),
    "instances_tagged": lambda at: at.cloud.instances_tagged("observer"),
    "instances_by_id": lambda at: at.cloud.instances_by_id([at.first.device_id]),
    "extensions": lambda at: at.cloud.extensions(),
    "quota": lambda at: at.cloud.quota(),
    "groups": lambda at: at.cloud.groups([at.group()]),
    "groups_named": lambda at: at.cloud.groups_named("nobody"),
    "routers": lambda at: at.cloud.routers([at.network]),
    "floating_ips": lambda at: at.cloud.floating_ips(),
    "reservations": lambda at: at.cloud.reservations(),
}
"""What `list`, `status` and `check` have of a cloud, beside the console log."""
WRITING: Calls = {
    "console_log": lambda at: at.cloud.console_log(at.first.device_id),
    "make_floating_ip": _make_floating,
    "take_floating_ip": _take_floating,
    "mark_floating_ip": _mark_floating,
    "release_floating_ip": lambda at: at.cloud.release_floating_ip(at.floating()),
    "delete_floating_ip": lambda at: at.cloud.delete_floating_ip(at.floating().id),
    "reserve": lambda at: at.cloud.reserve(at.reservation()),
    "describe": lambda at: at.cloud.describe(at.reserved(), "another record"),
    "adopt": lambda at: at.cloud.adopt(at.reserved(), device_id="haos-x", description="a record"),
    "release_adopted": lambda at: at.cloud.release_adopted(at.reserved().id),
    "amend_port": _amend,
    "delete_port": lambda at: at.cloud.delete_port(at.reserved().id),
    "set_port_up": lambda at: at.cloud.set_port_up(at.reserved().id, False),
    "instance_action": _action,
    "add_tag": lambda at: at.cloud.add_tag(at.reserved().id, "haos-fault:pause:1"),
    "remove_tag": _remove_tag,
    "make_group": lambda at: at.cloud.make_group("haos-made", "a test's", VRRP),
    "mark_group": _mark_group,
    "set_rules": _set_rules,
    "delete_group": lambda at: at.cloud.delete_group(at.group()),
}
"""What all else has; the console log is here because its request is one that could stop an instance as well."""
