"""Decisions as pure functions over frozen values: no IO, no clock, no randomness."""
