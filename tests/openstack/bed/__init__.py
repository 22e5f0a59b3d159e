"""Bring-up and tear-down of real OpenStack services with a real data plane, in network namespaces alone."""
