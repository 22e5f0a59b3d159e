"""Security groups: born with Neutron's default rules, kept while a port uses them."""

from __future__ import annotations

from haos.lab.api.attributes import boolean
from haos.lab.api.collection import READ_ONLY, STANDARD, Collection, Kind
from haos.lab.api.errors import neutron
from haos.lab.api.listing import NAMED, TAG_FILTERS
from haos.lab.api.policy import check_write
from haos.lab.api.routing import Call, Caller, Doc, Response
from haos.lab.api.store import Store

KIND = Kind(
    table="security_groups",
    singular="security_group",
    not_found="SecurityGroupNotFound",
    post=STANDARD | {"stateful"},
    put=frozenset({"stateful"}),
    filters=NAMED | TAG_FILTERS | {"shared"},
    sort_keys=NAMED,
    read_only=READ_ONLY | {"security_group_rules", "shared"},
    converters={"stateful": boolean},
)


class Groups(Collection):
    """Security groups."""

    kind = KIND

    def list(self, call: Call) -> Response:
        with self.store.lock:
            default_group(self.store, call.caller.project_id)  # as Neutron: whoever lists has one
        return super().list(call)

    def view(self, caller: Caller, doc: Doc) -> Doc:
        rules = self.store.where("security_group_rules", security_group_id=doc["id"])
        shown = super().view(caller, doc)
        shown["security_group_rules"] = [super(Groups, self).view(caller, rule) for rule in rules]
        return shown

    def make(self, caller: Caller, body: Doc) -> Doc:
        check_write(caller, "create_security_group", body)
        _check_body(body)
        default_group(self.store, body["project_id"])  # the first group of a project brings its default one along
        group = {"name": "", "stateful": True, "shared": False, "tags": [], **body}
        return born(self.store, group)

    def change(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        check_write(caller, "update_security_group", body)
        _check_body(body)
        if doc["name"] == "default" and "name" in body:
            raise neutron("SecurityGroupCannotUpdateDefault")
        return super().change(caller, doc, body)

    def remove(self, caller: Caller, doc: Doc) -> None:
        check_write(caller, "delete_security_group", {})
        if any(doc["id"] in port["security_groups"] for port in self.store.all("ports")):
            raise neutron("SecurityGroupInUse", id=doc["id"])
        if doc["name"] == "default" and not caller.admin:
            raise neutron("SecurityGroupCannotRemoveDefault")
        for rule in self.store.all("security_group_rules"):
            if doc["id"] in (rule["security_group_id"], rule["remote_group_id"]):
                self.store.drop("security_group_rules", rule["id"])
                self.store.change("security_groups", rule["security_group_id"])
        self.store.drop("security_groups", doc["id"])


def _check_body(body: Doc) -> None:
    if str(body.get("name", "")).lower() == "default":
        raise neutron("SecurityGroupDefaultAlreadyExists")


def born(store: Store, group: Doc) -> Doc:
    """Store a group with its two default egress rules."""
    made = store.add("security_groups", group)
    for ethertype in ("IPv4", "IPv6"):
        add_rule(store, made, {"direction": "egress", "ethertype": ethertype, "description": None})
    return made


def default_group(store: Store, project_id: str) -> Doc:
    """Return the project's default group; it is made when it is first needed."""
    found = store.where("security_groups", project_id=project_id, name="default")
    if found:
        return found[0]
    blank = {"name": "default", "description": "Default security group", "project_id": project_id}
    group = born(store, {**blank, "stateful": True, "shared": False, "tags": []})
    for ethertype in ("IPv4", "IPv6"):
        rule = {"direction": "ingress", "ethertype": ethertype, "remote_group_id": group["id"], "description": None}
        add_rule(store, group, rule)
    return group


def add_rule(store: Store, group: Doc, rule: Doc) -> Doc:
    """Store a rule of a group with the defaults of what it leaves out."""
    blank: Doc = {
        "security_group_id": group["id"],
        "project_id": group["project_id"],
        "ethertype": "IPv4",
        "protocol": None,
        "port_range_min": None,
        "port_range_max": None,
        "remote_ip_prefix": None,
        "remote_group_id": None,
        "remote_address_group_id": None,
        "normalized_cidr": None,
        "belongs_to_default_sg": group["name"] == "default",
        "revision_number": 0,
        "tags": [],
    }
    return store.add("security_group_rules", {**blank, **rule})
