"""The definition of RabbitMQ's cluster operator, from its Go module; the program itself does not run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.extras.model import Supplies

MODULE = Program("rabbitmq-operator", "", "github.com/rabbitmq/cluster-operator/v2", (), 0)


def definitions(supplies: Supplies) -> tuple[Path, ...]:
    """The file of the module."""
    return tuple(sorted((supplies.module(MODULE) / "config" / "crd" / "bases").glob("rabbitmq.com_*.yaml")))


EXTRA = Extra("rabbitmq-operator", lambda _supplies: (), definitions)
