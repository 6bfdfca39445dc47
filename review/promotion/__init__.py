"""Bringing what was proven in one stack into the next, and one change through several clusters in waves."""
