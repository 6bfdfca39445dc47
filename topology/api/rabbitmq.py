"""How things in a RabbitMQ are called, by those who declare them and by the module that sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from topology.api.spec import labelled

if TYPE_CHECKING:
    from collections.abc import Mapping

VHOST, USER, PERMISSION, POLICY, EXCHANGE, QUEUE, BINDING = (
    "vhost", "user", "permission", "policy", "exchange", "queue", "binding",
)  # fmt: skip
ROOT = "/"
"""The virtual host that every broker has; labels leave it out."""


def label_of(kind: str, name: str, vhost: str = ROOT) -> str:
    """``queue orders``, ``queue orders @billing``; a permission is of a user in a virtual host."""
    if kind in {VHOST, USER}:
        return labelled(kind, name)
    return labelled(kind, name, "" if vhost == ROOT else vhost)


def binding_name(source: str, to: str, target: str, key: str, arguments: Mapping[str, Any]) -> str:
    """``orders -> queue billing (order.*)``: all that makes a binding another one; ``to`` is queue or exchange."""
    more = f" {json.dumps(dict(arguments), sort_keys=True)}" if arguments else ""
    return f"{source} -> {to} {target} ({key}){more}"
