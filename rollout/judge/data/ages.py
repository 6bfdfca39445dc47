"""Bins of a pod's age: young pods are counted by how long ago they started."""

from bisect import bisect_right

AGE_ENDS = (15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0, 150.0, 180.0, 240.0, 300.0)

"""Where each bin ends, in seconds."""

AGES = len(AGE_ENDS)
"""Bins of age."""

YOUNG_SECONDS = AGE_ENDS[-1]
"""Pods older than this are grown up."""


def age_bin(age: float) -> int:
    """Bin of an age in seconds; AGES of a grown-up pod."""
    return bisect_right(AGE_ENDS, age)
