"""Neutron's configuration, for the server and for the agents of ML2/OVS."""

from __future__ import annotations

from tests.openstack.bed.config import MESSAGING, Ini, Places, broker_url, credentials, database_url, token_check
from tests.openstack.bed.model import (
    EXTERNAL_BRIDGE,
    INTEGRATION_BRIDGE,
    MANAGEMENT_ADDRESS,
    NEUTRON_PORT,
    PHYSICAL_NETWORK,
    RUN,
    Backend,
    HypervisorPlace,
)

NORTHBOUND = RUN / "ovn/ovnnb_db.sock"
SOUTHBOUND = RUN / "ovn/ovnsb_db.sock"
MECHANISM = {"ovn": "ovn", "ovs": "openvswitch"}
ROUTER = {"ovn": "ovn-router", "ovs": "router"}
TENANT_NETWORKS = {"ovn": "geneve", "ovs": "vxlan"}
RPC_WORKERS = {"ovn": 0, "ovs": 1}
"""With OVN no agent calls Neutron."""
OPENFLOW_PORT = 6633


def server(at: Places, backend: Backend) -> Ini:
    """Return neutron.conf of the server."""
    return {
        "DEFAULT": {
            "use_stderr": "true",
            "bind_host": "127.0.0.1",
            "bind_port": NEUTRON_PORT,
            "api_paste_config": at.env / "etc/neutron/api-paste.ini",
            "api_extensions_path": "",
            "state_path": at.var / "neutron",
            "core_plugin": "ml2",
            "service_plugins": f"{ROUTER[backend]},qos,trunk,segments,port_forwarding",
            "auth_strategy": "keystone",
            "api_workers": 1,
            "rpc_workers": RPC_WORKERS[backend],
            "rpc_state_report_workers": 0,
            "dhcp_agent_notification": "false",
            "transport_url": broker_url(),
            "notify_nova_on_port_status_changes": "true",
            "notify_nova_on_port_data_changes": "true",
            "host": "haos-os",
            "global_physnet_mtu": 1500,
        },
        "database": {"connection": database_url("neutron", "neutron"), "max_pool_size": 10, "max_overflow": 50},
        "keystone_authtoken": token_check("neutron", "network"),
        "nova": credentials("nova"),
        "placement": credentials("placement"),
        "oslo_concurrency": {"lock_path": at.locks},
        "privsep": {"helper_command": f"{at.env}/bin/privsep-helper --config-file {at.etc}/neutron/neutron.conf"},
        "agent": {"root_helper": "env"},
        "quotas": {"quota_port": -1},
        **MESSAGING,
    }


def ml2(backend: Backend) -> Ini:
    """Return ml2_conf.ini."""
    return {
        "ml2": {
            "type_drivers": "flat,vlan,vxlan,geneve,local",
            "tenant_network_types": TENANT_NETWORKS[backend],
            "mechanism_drivers": MECHANISM[backend],
            "extension_drivers": "qos,port_security,dns,uplink_status_propagation",
        },
        "ml2_type_flat": {"flat_networks": PHYSICAL_NETWORK},
        "ml2_type_vxlan": {"vni_ranges": "1:1000"},
        "ml2_type_geneve": {"vni_ranges": "1:1000", "max_header_size": 38},
        "securitygroup": {"enable_security_group": "true", "enable_ipset": "false"},
        "ovn": {
            "ovn_nb_connection": f"unix:{NORTHBOUND}",
            "ovn_sb_connection": f"unix:{SOUTHBOUND}",
            "ovn_l3_scheduler": "leastloaded",
            "ovn_metadata_enabled": "false",
            "enable_distributed_floating_ip": "false",
        },
    }


def _agent(at: Places, hypervisor: HypervisorPlace) -> dict[str, dict[str, object]]:
    own = at.etc / f"neutron/{hypervisor.host}.conf"
    return {
        "DEFAULT": {
            "use_stderr": "true",
            "host": hypervisor.host,
            "state_path": at.var / f"neutron{hypervisor.number}",
            "transport_url": broker_url(MANAGEMENT_ADDRESS),
        },
        "oslo_concurrency": {"lock_path": at.var / f"neutron{hypervisor.number}/lock"},
        "privsep": {"helper_command": f"{at.env}/bin/privsep-helper --config-file {own}"},
        **{key: dict(value) for key, value in MESSAGING.items()},
    }


def switch_agent(at: Places, hypervisor: HypervisorPlace) -> Ini:
    """Return the configuration of one hypervisor's neutron-openvswitch-agent, and of an L3 agent beside it."""
    common = _agent(at, hypervisor)
    common["DEFAULT"] |= {
        "interface_driver": "openvswitch",
        "agent_mode": "legacy",
        "enable_metadata_proxy": "false",
        # A veth pair for each router port: a port of the switch's own would be a tap that leaves its namespace.
        "ovs_use_veth": "true",
    }
    return {
        **common,
        "ovs": {
            "integration_bridge": INTEGRATION_BRIDGE,
            "datapath_type": "netdev",
            "ovsdb_connection": f"unix:{hypervisor.ovsdb}",
            "local_ip": hypervisor.tunnel_address,
            "bridge_mappings": f"{PHYSICAL_NETWORK}:{EXTERNAL_BRIDGE}",
            "of_listen_address": "127.0.0.1",
            "of_listen_port": OPENFLOW_PORT,
        },
        "agent": {"tunnel_types": "vxlan", "l2_population": "false", "root_helper": "env"},
        "securitygroup": {"firewall_driver": "openvswitch", "enable_security_group": "true"},
    }
