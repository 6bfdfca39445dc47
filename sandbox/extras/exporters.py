"""The exporters of nodes and of probes, as Debian builds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from sandbox.archive import Image
    from sandbox.extras.model import Supplies

NODE, BLACKBOX = "prometheus-node-exporter", "prometheus-blackbox-exporter"


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return both, on one root file system."""
    root = supplies.debian(NODE, BLACKBOX)
    return (
        supplies.image("node-exporter:1.5", root, entry=f"/usr/bin/{NODE}"),
        supplies.image("blackbox-exporter:0.23", root, entry=f"/usr/bin/{BLACKBOX}"),
    )


EXTRA = Extra("exporters", images)
