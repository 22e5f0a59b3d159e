"""OpenStack orchestration for virtual-IP high-availability pairs."""

__version__ = "0.1.0"
