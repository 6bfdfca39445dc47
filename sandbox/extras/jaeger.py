"""Jaeger v2, from its Go module; the pages of its user interface are not in it, its API is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from sandbox.archive import Image
    from sandbox.extras.model import Supplies

MODULE = "github.com/jaegertracing/jaeger"
PROGRAM = Program("jaeger", f"{MODULE}/cmd/jaeger", MODULE, (), 300)


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the one image: the program alone. The module counts as 1.76, the program as 2.13."""
    return (supplies.image("jaeger:2.13.0", supplies.go(PROGRAM), entry="/bin/jaeger"),)


EXTRA = Extra("jaeger", images)
