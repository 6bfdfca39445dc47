"""The definitions of the Prometheus Operator, from its Go module; the program itself does not run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.extras.model import Supplies

TOLD = ("podmonitors", "probes", "prometheusrules", "scrapeconfigs", "servicemonitors")
"""Of what somebody tells an operator; what it runs (servers, Alertmanagers) is not for stacks."""

MODULE = Program("prometheus-operator", "", "github.com/prometheus-operator/prometheus-operator", (), 0)


def definitions(supplies: Supplies) -> tuple[Path, ...]:
    """The files of the module."""
    folder = supplies.module(MODULE) / "example" / "prometheus-operator-crd"
    return tuple(folder / f"monitoring.coreos.com_{kind}.yaml" for kind in TOLD)


EXTRA = Extra("prometheus-operator", lambda _supplies: (), definitions)
