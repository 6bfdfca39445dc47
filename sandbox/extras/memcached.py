"""Memcached, as Debian builds it: with TLS and a file of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from sandbox.archive import Image
    from sandbox.extras.model import Supplies


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the image of the cache; its statistics are read by the image `python`, which every box has."""
    return (supplies.image("memcached:1.6", supplies.debian("memcached"), entry="/usr/bin/memcached"),)


EXTRA = Extra("memcached", images)
