"""What every tier stands on."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says something of the machine and what else it does, nothing of the code.
settings.register_profile("haos", deadline=None)
settings.load_profile("haos")
