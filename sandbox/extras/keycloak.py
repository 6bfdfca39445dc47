"""Keycloak as it is published, on Debian's Java, and a PostgreSQL: the database that others run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.extras.model import JAVA, Extra

if TYPE_CHECKING:
    from sandbox.archive import Image
    from sandbox.extras.model import Supplies

DATABASE = "postgresql-15"


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the images of the issuer and of a database for it."""
    java, files = supplies.debian(JAVA), supplies.maven("keycloak", "opt/keycloak")
    return (
        supplies.image("keycloak:26.7.3", java, files, entry="/opt/keycloak/bin/kc.sh"),
        supplies.image(
            "postgresql:15", supplies.debian(DATABASE), entry=f"/usr/lib/postgresql/{DATABASE[-2:]}/bin/postgres"
        ),
    )


EXTRA = Extra("keycloak", images)
