"""The definitions of cert-manager, from its Go module; the program itself does not run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.extras.model import Supplies

MODULE = Program("cert-manager", "", "github.com/cert-manager/cert-manager", (), 0)


def definitions(supplies: Supplies) -> tuple[Path, ...]:
    """The files of the module."""
    return tuple(sorted((supplies.module(MODULE) / "deploy" / "crds").glob("cert-manager.io_*.yaml")))


EXTRA = Extra("cert-manager", lambda _supplies: (), definitions)
