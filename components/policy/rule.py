"""What a rule of the house is: one row, and one pure function over an object, over all of them, or over an entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.model.profiles import Tier

if TYPE_CHECKING:
    from components.model.settings import ComponentSettings

LOCAL, DEV, STAGING, PROD = Tier.LOCAL, Tier.DEV, Tier.STAGING, Tier.PROD
EVERYWHERE = frozenset(Tier)
SERIOUS = frozenset({STAGING, PROD})
LAST = frozenset({PROD})


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the stack file says it.

    Attributes:
        name: its own.
        kind: as stack files name it.
        said: its settings as they stand there.
        settings: the model that they are read into; None for a kind that is not known.
    """

    name: str
    kind: str
    said: Mapping[str, Any]
    settings: type[ComponentSettings] | None


OfObject = Callable[[Mapping[str, Any]], Iterator[str]]
OfAll = Callable[[Sequence[Mapping[str, Any]]], Iterator[tuple[str, str]]]
OfEntry = Callable[[Entry], Iterator[str]]


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One row.

    Attributes:
        id: stable name; waivers and machines use it.
        what: what it finds.
        why: what may come of it.
        fix: what to do.
        tiers: where it holds.
        mandatory: whether it refuses by itself; others advise until a project makes them mandatory.
        objects: finds it in one object.
        every: finds it in all objects together: (which object, what).
        entries: finds it in one entry of the stack file.
    """

    id: str
    what: str
    why: str
    fix: str
    tiers: frozenset[Tier]
    mandatory: bool = False
    objects: OfObject | None = None
    every: OfAll | None = None
    entries: OfEntry | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found: in which object (``Deployment shop/orders``, as reviews write it) or entry, and what."""

    rule: PolicyRule
    object: str
    text: str
