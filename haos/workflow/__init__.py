"""The verbs: create, status, failover-test, teardown. They depend on Protocols, not on adapters."""
