"""How a pod misbehaves: what its version brings along, and what ``POST /fault`` switches on at a known moment."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, fields, replace
from typing import Any


class FaultError(ValueError):
    """A fault that cannot be set; the message names the key."""


class InjectedError(Exception):
    """The failure that ``errors`` asks for, and the status that an answer has then."""

    def __init__(self, status: int) -> None:
        super().__init__("a fault was switched on")
        self.status = status


@dataclass(frozen=True, slots=True)
class Fault:
    """Of its answers ``errors`` fail with ``status``; ``delay_seconds`` is added to each; ``crash`` exits at once."""

    errors: float = 0.0
    delay_seconds: float = 0.0
    unready: bool = False
    crash: bool = False
    status: int = 500

    def changed(self, wish: Any) -> Fault:
        """This fault with the keys of the JSON object ``wish`` replaced; keys not named stay as they are.

        Raises:
            FaultError: not an object, an unknown key, or a value out of range.
        """
        if not isinstance(wish, dict):
            raise FaultError("want a JSON object, for example {'errors': 0.5}")
        known = {field.name for field in fields(self)}
        if unknown := sorted(set(wish) - known):
            raise FaultError(f"{unknown[0]}: no such key; there are {', '.join(sorted(known))}")
        checked: dict[str, Any] = {key: _checked(key, value) for key, value in wish.items()}
        return replace(self, **checked)


def _checked(key: str, value: Any) -> float | bool:
    if key == "status":
        if type(value) is int and value in range(500, 600):
            return value
        raise FaultError(f"{key}: want a number from 500 to 599, not {value!r}")
    if key in {"unready", "crash"}:
        if isinstance(value, bool):
            return value
        raise FaultError(f"{key}: want true or false, not {value!r}")
    top = 1.0 if key == "errors" else 60.0
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= top:
        return float(value)
    raise FaultError(f"{key}: want a number from 0 to {top:g}, not {value!r}")


# What a version does by itself; v1, v2 and every other name are good ones. v5 also exits after a minute (serving.py).
OF_VERSION = {"v3": Fault(errors=0.5), "v4": Fault(delay_seconds=0.3)}
CRASHING_VERSION = "v5"


class Faults:
    """The fault in force in this process."""

    def __init__(self, version: str) -> None:
        self.now = OF_VERSION.get(version, Fault())

    async def strike(self) -> None:
        """Called once per answer or message: wait, and fail, as the fault says.

        Raises:
            InjectedError: this one fails.
        """
        if self.now.delay_seconds:
            await asyncio.sleep(self.now.delay_seconds)
        if self.now.errors and random.random() < self.now.errors:
            raise InjectedError(self.now.status)
