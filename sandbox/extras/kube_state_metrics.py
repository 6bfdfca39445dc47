"""kube-state-metrics, from its Go module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from sandbox.archive import Image
    from sandbox.extras.model import Supplies

MODULE = "k8s.io/kube-state-metrics/v2"
PROGRAM = Program("kube-state-metrics", MODULE, MODULE, ("github.com/prometheus/common/version.Version",), 90)


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the one image: the program alone."""
    return (supplies.image("kube-state-metrics:2.18.0", supplies.go(PROGRAM), entry="/bin/kube-state-metrics"),)


EXTRA = Extra("kube-state-metrics", images)
