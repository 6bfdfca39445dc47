"""Kafka's own jars on Debian's Java, laid out as in the project's image, and a stand-in for the exporter of lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import JAVA, Extra, Supplies

if TYPE_CHECKING:
    from sandbox.archive import Image

EXPORTER = Program("kafka_exporter", ".", "", (), 60)


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the images of a broker (it has the JMX exporter's agent, too) and of the exporter."""
    java, jars = supplies.debian(JAVA), supplies.maven("kafka", "opt/kafka/libs")
    exporter = supplies.go(EXPORTER)
    return (
        supplies.image("kafka:4.3.1", java, jars, entry="/usr/bin/bash"),
        supplies.image("kafka-exporter:v1", exporter, entry="/bin/kafka_exporter"),
    )


EXTRA = Extra("kafka", images)
