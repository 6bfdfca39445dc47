"""A Eureka server of Spring Cloud, run from its source by Groovy, since nobody publishes an image of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox import builds
from sandbox.extras.model import JAVA, Extra

if TYPE_CHECKING:
    from sandbox.archive import Image
    from sandbox.extras.model import Supplies

START = ("java", "-cp", "/opt/eureka/lib/*", "groovy.ui.GroovyMain", "/opt/eureka/eureka.groovy")
PROGRAM = builds.TOOLCHAIN / "eureka" / "eureka.groovy"


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the image of the registry."""
    source = supplies.files("eureka", {PROGRAM: f"opt/eureka/{PROGRAM.name}"})
    made = supplies.image("eureka:5.0.3", supplies.debian(JAVA), supplies.maven("eureka"), source, entry="java")
    return (replace(made, entrypoint=START),)


EXTRA = Extra("eureka", images)
