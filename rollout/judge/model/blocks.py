"""Blocks of time: within one, what happens is hardly independent."""

BLOCK_SECONDS = 15.0
"""How long a burst lasts."""
