"""MQTT: Mosquitto and its clients, as Debian has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.extras.model import Extra, Supplies

if TYPE_CHECKING:
    from sandbox.archive import Image


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the broker; its clients are in the same image."""
    root = supplies.debian("mosquitto", "mosquitto-clients")
    return (supplies.image("mosquitto:2.0.11", root, entry="/usr/sbin/mosquitto"),)


EXTRA = Extra("mqtt", images)
