"""Envoy Gateway, compiled from its module; its definitions are in a Helm chart there, between two lines of Helm's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.builds import Program
from sandbox.extras.model import Extra
from sandbox.layers import key_of

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.archive import Image
    from sandbox.extras.model import Supplies

PROGRAM = Program(
    "envoy-gateway",
    "github.com/envoyproxy/gateway/cmd/envoy-gateway",
    "github.com/envoyproxy/gateway",
    ("github.com/envoyproxy/gateway/internal/cmd/version.envoyGatewayVersion",),
    600,
)
DEFINITIONS = "charts/gateway-crds-helm/templates/generated"
# Contour's Gateway API is older and has not the version of it that Envoy Gateway reads; this one has both.
GATEWAY_API = "sigs.k8s.io/gateway-api"
TRUST = "config/crd/experimental/gateway.networking.k8s.io_backendtlspolicies.yaml"


def images(supplies: Supplies) -> tuple[Image, ...]:
    """Control plane and shutdown manager are the same program."""
    name = f"envoy-gateway:{PROGRAM.version.lstrip('v')}"
    return (supplies.image(name, supplies.go(PROGRAM), entry="/bin/envoy-gateway"),)


def definitions(supplies: Supplies) -> tuple[Path, ...]:
    """The files of the chart without what Helm would read in them."""
    target = supplies.cache.manifests / f"envoy-gateway-{key_of(PROGRAM.version)}"
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for source in sorted((supplies.module(PROGRAM) / DEFINITIONS).glob("*.yaml")):
        lines = source.read_text().splitlines(keepends=True)
        made.append(target / source.name)
        made[-1].write_text("".join(line for line in lines if not line.startswith("{{")))
    return (*made, supplies.module(PROGRAM, GATEWAY_API) / TRUST)


EXTRA = Extra("envoy-gateway", images, definitions)
