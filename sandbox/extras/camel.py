"""Apache Camel: the jars that routes in YAML need, on Java; `org.apache.camel.main.Main` starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.extras.model import JAVA, Extra, Supplies

if TYPE_CHECKING:
    from sandbox.archive import Image


def images(supplies: Supplies) -> tuple[Image, ...]:
    """The one image, laid out as `install/camel/Containerfile` makes it."""
    layers = supplies.debian(JAVA), supplies.maven("camel")
    return (supplies.image("camel:4.17.0", *layers, entry="/usr/bin/java"),)


EXTRA = Extra("camel", images)
