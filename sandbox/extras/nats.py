"""NATS: its server, and its command line for whoever looks after streams; both compiled from their Go modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra, Supplies

if TYPE_CHECKING:
    from sandbox.archive import Image

SERVER = Program("nats-server", "github.com/nats-io/nats-server/v2", "github.com/nats-io/nats-server/v2", (), 40)
BOX = Program("nats", "github.com/nats-io/natscli/nats", "github.com/nats-io/natscli", ("main.version",), 90)


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Return the server, and the command line beside a shell."""
    tool = supplies.go(BOX)
    return (
        supplies.image(f"nats:{SERVER.version.lstrip('v')}", supplies.go(SERVER), entry="/bin/nats-server"),
        supplies.image(
            f"nats-box:{BOX.version.lstrip('v')}", supplies.debian(), tool, entry="/bin/nats", env={"USER": "nats"}
        ),
    )


EXTRA = Extra("nats", images)
