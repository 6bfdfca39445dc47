"""Flink as its own image has it in /opt/flink, from the package for Python, and what that lacks from Maven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.extras.model import JAVA, Extra, Supplies

if TYPE_CHECKING:
    from sandbox.archive import Image

HOME = "opt/flink"
PLACES = {"pyflink/lib": f"{HOME}/lib", "pyflink/plugins/metrics-prometheus": f"{HOME}/plugins/metrics-prometheus"}


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the one image."""
    layers = supplies.debian(JAVA), supplies.pypi("flink", PLACES), supplies.maven("flink", f"{HOME}/lib")
    return (supplies.image("flink:2.2.0", *layers, entry="/usr/bin/bash"),)


EXTRA = Extra("flink", images)
