"""How things in a NATS are called, by those who declare them and by the module that sees them."""

from __future__ import annotations

from topology.api.spec import labelled

STREAM, CONSUMER, BUCKET = "stream", "consumer", "bucket"
OF_BUCKETS = "KV_"
"""How the streams begin that keep a bucket of keys and values."""


def placed(account: str, name: str) -> str:
    """``orders``; ``billing/orders`` in an account of its own."""
    return f"{account}/{name}" if account else name


def parted(name: str) -> tuple[str, str]:
    """Account, which is empty for the one that services share, and name there."""
    account, _, rest = name.rpartition("/")
    return account, rest


def label_of(kind: str, name: str, stream: str = "") -> str:
    """``stream orders``, ``stream billing/orders``, ``consumer printer @billing/orders``."""
    return labelled(kind, name, stream)
