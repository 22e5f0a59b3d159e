"""Security-group rules, alone or many at once; the same rule twice is refused, also under another name."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_interface, ip_network

from haos.lab.api import protocols
from haos.lab.api.attributes import choice
from haos.lab.api.collection import READ_ONLY, STANDARD, Collection, Kind
from haos.lab.api.errors import ApiError, neutron
from haos.lab.api.groups import add_rule
from haos.lab.api.policy import check_write, forbidden
from haos.lab.api.routing import Call, Caller, Doc, Response

ETHERTYPES = {"ipv4": "IPv4", "ipv6": "IPv6"}
IDENTITY = (
    "direction",
    "ethertype",
    "port_range_max",
    "port_range_min",
    "remote_group_id",
    "remote_address_group_id",
    "security_group_id",
)
UNSET = ("port_range_min", "port_range_max", "remote_address_group_id", "remote_group_id", "remote_ip_prefix")
MATCHES = frozenset(
    {
        "security_group_id",
        "direction",
        "ethertype",
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
        "remote_group_id",
        "remote_address_group_id",
    }
)
KIND = Kind(
    table="security_group_rules",
    singular="security_group_rule",
    not_found="SecurityGroupRuleNotFound",
    post=(MATCHES | STANDARD) - {"name"},
    required=("security_group_id", "direction"),
    filters=MATCHES | {"belongs_to_default_sg", "normalized_cidr"},
    sort_keys=MATCHES - {"remote_address_group_id"},
    read_only=READ_ONLY - {"status", "tags"},
    converters={"direction": choice("ingress", "egress")},
)


class Rules(Collection):
    """Security-group rules."""

    kind = KIND

    def make(self, caller: Caller, body: Doc) -> Doc:
        check_write(caller, "create_security_group_rule", body)
        group = self._group(body["security_group_id"])
        if not self.visible(caller, group):
            raise forbidden("create_security_group_rule", {})
        rule = _checked(body)
        if rule["remote_group_id"]:
            self._remote_group(caller, rule["remote_group_id"])
        if rule["remote_address_group_id"]:  # the lab has no such groups
            raise neutron("AddressGroupNotFound", id=rule["remote_address_group_id"])
        wanted = identity(rule)
        for other in self.store.where("security_group_rules", security_group_id=group["id"]):
            if identity(other) == wanted:
                raise neutron("SecurityGroupRuleExists", rule_id=other["id"])
        return add_rule(self.store, group, rule)

    def create(self, call: Call) -> Response:
        with self.store.transaction():
            answer = super().create(call)
            made = answer.body.get(KIND.table) or [answer.body[KIND.singular]]
            self.store.change("security_groups", made[0]["security_group_id"])  # once, however many rules
        return answer

    def find(self, caller: Caller, key: str) -> Doc:
        doc = self.store.get(KIND.table, key)
        if doc is not None and not self.visible(caller, doc):
            raise neutron("HTTPNotFound")
        return super().find(caller, key)

    def make_many(self, caller: Caller, bodies: Sequence[Doc]) -> Sequence[Doc]:
        if len({body["security_group_id"] for body in bodies}) > 1:
            raise neutron("SecurityGroupNotSingleGroupRules")
        identities = [identity(_checked(body)) for body in bodies]
        if len(set(identities)) < len(identities):
            raise neutron("DuplicateSecurityGroupRuleInPost")
        return super().make_many(caller, bodies)

    def remove(self, caller: Caller, doc: Doc) -> None:
        super().remove(caller, doc)
        self.store.change("security_groups", doc["security_group_id"])

    def _group(self, group_id: str) -> Doc:
        group = self.store.get("security_groups", group_id)
        if group is None:
            raise neutron("SecurityGroupNotFound", id=group_id)
        return group

    def _remote_group(self, caller: Caller, group_id: str) -> None:
        if not self.visible(caller, self._group(group_id)):
            raise neutron("SecurityGroupNotFound", id=group_id)


def identity(rule: Doc) -> tuple[object, ...]:
    """Return what makes two rules the same for Neutron: protocols by number, any prefix as none."""
    prefix = rule.get("remote_ip_prefix")
    prefix = None if prefix in ("0.0.0.0/0", "::/0") else prefix
    return (*(rule.get(name) for name in IDENTITY), prefix, _number(rule.get("protocol"), rule["ethertype"]))


def _number(protocol: str | None, ethertype: str) -> object:
    if protocol in ("ip", "0"):
        return 0
    if protocol == "hopopt":  # Neutron compares by name and number
        return protocol
    found = protocols.number(protocol)
    return protocols.ICMPV6 if ethertype == "IPv6" and found == protocols.ICMP else found


def _checked(body: Doc) -> Doc:
    rule = {**dict.fromkeys(UNSET), **body}
    ethertype = str(rule.get("ethertype", "IPv4"))
    if ethertype.lower() not in ETHERTYPES:
        raise neutron("SecurityGroupRuleInvalidEtherType", ethertype=ethertype)
    rule["ethertype"] = ETHERTYPES[ethertype.lower()]
    rule["protocol"] = _protocol(rule.get("protocol"), rule["ethertype"])
    if (rule["port_range_min"], rule["port_range_max"]) == (1, 65535):
        rule["port_range_min"] = rule["port_range_max"] = None
    _check_ports(rule)
    _check_remote(rule)
    return rule


def _protocol(value: object, ethertype: str) -> str | None:
    if value in protocols.ANY:
        return None
    text = str(value).lower()
    if not (text in protocols.NUMBERS or (text.isdecimal() and int(text) <= 255)):
        names = (*protocols.ANY, *protocols.NUMBERS)
        raise neutron("SecurityGroupRuleInvalidProtocol", protocol=value, values=names)
    if ethertype == "IPv6":
        return {"icmp": "ipv6-icmp", "icmpv6": "ipv6-icmp", "1": "58"}.get(text, text)
    if protocols.number(text) in protocols.ONLY_IPV6:
        raise neutron("SecurityGroupEthertypeConflictWithProtocol", ethertype=ethertype, protocol=text)
    return text


def _check_ports(rule: Doc) -> None:
    low, high = _port(rule["port_range_min"]), _port(rule["port_range_max"])
    rule["port_range_min"], rule["port_range_max"] = low, high
    if low is None and high is None:
        return
    if rule["protocol"] is None:
        raise neutron("SecurityGroupProtocolRequiredWithPorts")
    number = protocols.number(rule["protocol"])
    if number in protocols.WITH_PORTS:
        if 0 in (low, high):
            raise neutron("SecurityGroupInvalidPortValue", port=0)
        if low is None or high is None or low > high:
            raise neutron("SecurityGroupInvalidPortRange")
    elif number in (protocols.ICMP, protocols.ICMPV6):
        _check_icmp(low, high)
    else:
        raise neutron("SecurityGroupInvalidProtocolForPort", protocol=number)


def _port(value: object) -> int | None:
    if value is None:
        return None
    text = str(value)
    if not text.isdecimal() or int(text) > 65535:
        raise neutron("SecurityGroupInvalidPortValue", port=value)
    return int(text)


def _check_icmp(kind: int | None, code: int | None) -> None:
    for field, attribute, value in (("type", "port_range_min", kind), ("code", "port_range_max", code)):
        if value is not None and value > 255:
            raise neutron("SecurityGroupInvalidIcmpValue", field=field, attr=attribute, value=value)
    if kind is None:
        raise neutron("SecurityGroupMissingIcmpType", value=code)


def _check_remote(rule: Doc) -> None:
    if rule["remote_ip_prefix"] and rule["remote_group_id"]:
        raise neutron("SecurityGroupMultipleRemoteEntites")
    text = rule["remote_ip_prefix"]
    if not text:
        rule["remote_ip_prefix"] = None
        return
    try:
        remote = ip_interface(str(text))  # as text: a number would be an address, too
    except ValueError:
        raise _no_cidr(text) from None
    if rule["ethertype"] != f"IPv{remote.version}":
        raise neutron("SecurityGroupRuleParameterConflict", ethertype=rule["ethertype"], cidr=text)
    rule["remote_ip_prefix"] = str(remote)
    rule["normalized_cidr"] = str(ip_network(str(remote), strict=False))


def _no_cidr(text: object) -> ApiError:
    return ApiError(400, f"Invalid CIDR {text} given as IP prefix.", "InvalidCIDR")
