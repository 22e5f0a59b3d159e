"""What every tier stands on."""

from __future__ import annotations

import signal

from hypothesis import settings

# How long an example takes says something of the machine and what else it does, nothing of the code.
settings.register_profile("haos", deadline=None)
settings.load_profile("haos")

# Who starts the tests in the background of a shell, or by nohup, has them and all that they start ignore these.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
