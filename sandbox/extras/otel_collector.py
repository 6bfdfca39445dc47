"""An OpenTelemetry Collector of the few components that Grayling configures, and no more: it builds in minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from sandbox.archive import Image
    from sandbox.extras.model import Supplies

PROGRAM = Program("otel-collector", ".", "go.opentelemetry.io/collector/otelcol", (), 150)


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the one image: the program alone."""
    name = f"otel-collector:{PROGRAM.version.lstrip('v')}"
    return (supplies.image(name, supplies.go(PROGRAM), entry="/bin/otel-collector"),)


EXTRA = Extra("otel-collector", images)
