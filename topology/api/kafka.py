"""How things in a Kafka are called, by those who declare them and by the module that sees them."""

from __future__ import annotations

from topology.api.spec import labelled

TOPIC, USER, QUOTA, ACL = "topic", "user", "quota", "acl"
ANY = "*"
PREFIXED, LITERAL = "prefixed", "literal"


def acl_name(user: str, resource: str, name: str, pattern: str) -> str:
    """``reports topic orders``; ``reports topic orders-*`` for all names that begin so."""
    told = f"{name}{ANY}" if pattern == PREFIXED else name
    return f"{user} cluster" if resource == "cluster" else f"{user} {resource} {told}"


def label_of(kind: str, name: str) -> str:
    """``topic orders``."""
    return labelled(kind, name)
