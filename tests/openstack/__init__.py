"""The tier on real OpenStack: `python -m tests.openstack` brings one up in namespaces of its own, and down."""
