"""All on fakes."""

from tests.one_by_one import one_by_one, side_by_side

__all__ = ["one_by_one", "side_by_side"]
