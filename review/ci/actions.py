"""The actions that workflows use, pinned to the commits that their tags named when they were looked up.

A tag can be moved by whoever gets hold of the action's repository; a commit cannot.
"""

from __future__ import annotations

from typing import NamedTuple


class Action(NamedTuple):
    """One action: the tag that a person reads, and the commit that runs."""

    tag: str
    commit: str


LOOKED_UP = "2026-11-28"
"""In the actions' own repositories: `git rev-parse TAG^{commit}`."""

ACTIONS = {
    "actions/checkout": Action("v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    "actions/setup-python": Action("v7.0.0", "5fda3b95a4ea91299a34e894583c3862153e4b97"),
    "actions/upload-artifact": Action("v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    "actions/download-artifact": Action("v8.0.1", "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"),
    "pulumi/actions": Action("v7.0.0", "8e5e406f4007fca908480587cb9893c07090f58d"),
}


def pinned(name: str) -> str:
    """What stands behind `uses:`.

    Raises:
        KeyError: the table has no such action.
    """
    action = ACTIONS[name]
    return f"{name}@{action.commit} # {action.tag}"
