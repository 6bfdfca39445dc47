"""VictoriaLogs, from its Go module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from sandbox.archive import Image
    from sandbox.extras.model import Supplies

MODULE = "github.com/VictoriaMetrics/VictoriaLogs"
PROGRAM = Program(
    "victorialogs",
    f"{MODULE}/app/victoria-logs",
    MODULE,
    (),
    20,
)


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the one image: the program alone."""
    name = f"victoria-logs:{PROGRAM.version.lstrip('v')}"
    return (supplies.image(name, supplies.go(PROGRAM), entry="/bin/victorialogs"),)


EXTRA = Extra("victorialogs", images)
