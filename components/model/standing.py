"""How far a kind goes here: run for real in the tests, only served, or somebody else's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Standing(Enum):
    """What was seen of a mode of a component.

    ``REAL``: its own process ran in the tests. ``SERVED``: no package of it can be had here; an API server accepted
    its objects and a golden file holds them. ``EXTERNAL``: declared and probed, never run by a stack.
    """

    REAL = "real"
    SERVED = "served"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Mode:
    """A way in which a kind can stand in a stack: its standing, and the tests that show it (``file::test``)."""

    name: str
    standing: Standing
    shown_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deviation:
    """A rule of the production baseline that a component breaks on purpose, where, and why."""

    rule: str
    workload: str
    reason: str


def real(*shown_by: str, name: str = "own") -> Mode:
    """A mode whose own process runs in the tests ``shown_by``."""
    return Mode(name, Standing.REAL, shown_by)


def served(*shown_by: str, name: str = "own") -> Mode:
    """A mode of which an API server accepted the objects in the tests ``shown_by``."""
    return Mode(name, Standing.SERVED, shown_by)


def external(*shown_by: str, name: str = "external") -> Mode:
    """A mode that is declared and probed in the tests ``shown_by``."""
    return Mode(name, Standing.EXTERNAL, shown_by)


ISSUED_CERTIFICATES = "tests/catalogue/test_gateways_on_cluster.py::test_an_api_server_takes_certificates_of_an_issuer"
"""Shows what all kinds share that may have their certificate from cert-manager."""
