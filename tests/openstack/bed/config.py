"""The services' configuration: sections as values, rendered as ini. Neutron's is in `backends.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.openstack.bed.model import (
    BROKER_PORT,
    DATABASE_PORT,
    GLANCE_PORT,
    KEYSTONE_URL,
    NOVA_PORT,
    PASSWORD,
    REGION,
    HypervisorPlace,
)

Ini = Mapping[str, Mapping[str, object]]

BROKER_USER = "openstack"
MESSAGING: Ini = {
    "oslo_messaging_rabbit": {"rabbit_quorum_queue": "false", "heartbeat_in_pthread": "false"},
    "oslo_messaging_notifications": {"driver": "noop"},
}


def render(ini: Ini) -> str:
    """Return the text of a configuration file."""
    parts = []
    for section, options in ini.items():
        parts.append(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items()))
    return "\n".join(parts)


def broker_url(address: str = "127.0.0.1") -> str:
    """Return where a service finds the broker."""
    return f"rabbit://{BROKER_USER}:{PASSWORD}@{address}:{BROKER_PORT}/"


def database_url(user: str, database: str) -> str:
    """Return where a service finds its database."""
    return f"mysql+pymysql://{user}:{PASSWORD}@127.0.0.1:{DATABASE_PORT}/{database}?charset=utf8"


def credentials(user: str) -> dict[str, object]:
    """Return how a service logs in at Keystone."""
    return {
        "auth_url": KEYSTONE_URL,
        "auth_type": "password",
        "project_domain_name": "Default",
        "user_domain_name": "Default",
        "project_name": "service",
        "username": user,
        "password": PASSWORD,
        "region_name": REGION,
    }


def token_check(user: str, service_type: str) -> dict[str, object]:
    """Return how a service checks the tokens that it is shown, and their access rules by its type."""
    strict = {"service_token_roles": "service", "service_token_roles_required": "true"}
    return {"www_authenticate_uri": KEYSTONE_URL, "service_type": service_type, **credentials(user), **strict}


@dataclass(frozen=True)
class Places:
    """Where the services find their files: `env` is OpenStack's environment, `var` the bed's data."""

    etc: Path
    var: Path
    env: Path

    @property
    def locks(self) -> Path:
        """The directory of the services' locks."""
        return self.var / "lock"


def keystone(at: Places) -> Ini:
    """Return keystone.conf."""
    return {
        "DEFAULT": {"use_stderr": "true"},
        "database": {"connection": database_url("keystone", "keystone")},
        # The least that bcrypt has: these passwords are no secret, and each login would cost a quarter of a second.
        "identity": {"password_hash_rounds": 4},
        "token": {"provider": "fernet"},
        "fernet_tokens": {"key_repository": at.var / "keystone/fernet"},
        "credential": {"key_repository": at.var / "keystone/credential"},
        "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
    }


def placement(_at: Places) -> Ini:
    """Return placement.conf."""
    return {
        "DEFAULT": {"use_stderr": "true"},
        "placement_database": {"connection": database_url("placement", "placement")},
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": token_check("placement", "placement"),
    }


def glance(at: Places) -> Ini:
    """Return glance-api.conf."""
    store = at.var / "glance"
    return {
        "DEFAULT": {
            "use_stderr": "true",
            "bind_host": "127.0.0.1",
            "bind_port": GLANCE_PORT,
            "workers": 0,
            "enabled_backends": "fs:file",
        },
        "database": {"connection": database_url("glance", "glance")},
        "glance_store": {"default_backend": "fs"},
        "fs": {"filesystem_store_datadir": store / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": store / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": store / "tasks"},
        "paste_deploy": {"flavor": "keystone", "config_file": at.env / "etc/glance/glance-api-paste.ini"},
        "keystone_authtoken": token_check("glance", "image"),
        "oslo_concurrency": {"lock_path": at.locks},
    }


def nova(at: Places) -> Ini:
    """Return nova.conf, which all of Nova's services read."""
    return {
        "DEFAULT": {
            "use_stderr": "true",
            "compute_driver": "fake.FakeDriver",
            "host": "haos-os",
            "my_ip": "127.0.0.1",
            "state_path": at.var / "nova",
            "transport_url": broker_url(),
            "osapi_compute_listen": "127.0.0.1",
            "osapi_compute_listen_port": NOVA_PORT,
            "osapi_compute_workers": 1,
            "enabled_apis": "osapi_compute",
            "update_resources_interval": 20,
            # Periodic tasks, the mapping of new hosts one of them, would begin up to a minute late.
            "periodic_fuzzy_delay": 0,
        },
        "api": {"auth_strategy": "keystone"},
        "wsgi": {"api_paste_config": at.env / "etc/nova/api-paste.ini"},
        "api_database": {"connection": database_url("nova", "nova_api")},
        "database": {"connection": database_url("nova", "nova")},
        "keystone_authtoken": token_check("nova", "compute"),
        "service_user": {"send_service_user_token": "true", **credentials("nova")},
        "placement": credentials("nova"),
        "neutron": {**credentials("nova"), "service_metadata_proxy": "false"},
        "glance": {"endpoint_override": f"http://127.0.0.1:{GLANCE_PORT}"},
        "vnc": {"enabled": "false"},
        "spice": {"enabled": "false"},
        # The scheduler maps new compute hosts to the cell: a nova-manage would take seconds to load.
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 2},
        "conductor": {"workers": 1},
        "oslo_concurrency": {"lock_path": at.locks},
        "cinder": {"os_region_name": REGION},
        **MESSAGING,
    }


def nova_compute(at: Places, hypervisor: HypervisorPlace) -> Ini:
    """Return what one nova-compute reads after nova.conf."""
    return {"DEFAULT": {"host": hypervisor.host, "state_path": at.var / f"nova{hypervisor.number}"}}
