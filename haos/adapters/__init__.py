"""The only rooms that touch the outside: the cloud, the nodes, the observer."""
