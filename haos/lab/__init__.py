"""The embedded lab: a small OpenStack-compatible cloud on one Linux machine.

It shares no code with the rest of haos (tests/test_layers.py): otherwise both could be wrong together.
"""
