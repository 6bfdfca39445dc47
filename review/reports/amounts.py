"""What pods and volumes ask for, read from manifests: CPU, memory and storage, as Kubernetes adds them up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.model.quantities import bytes_of, millicores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_UNITS = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Amount:
    """CPU in thousandths of a core, memory and storage in bytes."""

    cpu: int = 0
    memory: int = 0
    storage: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.storage + other.storage)

    def __sub__(self, other: Amount) -> Amount:
        return self + other * -1

    def __mul__(self, times: int) -> Amount:
        return Amount(self.cpu * times, self.memory * times, self.storage * times)

    def most(self, other: Amount) -> Amount:
        """The larger of the two, each by itself."""
        return Amount(max(self.cpu, other.cpu), max(self.memory, other.memory), max(self.storage, other.storage))


def total(amounts: Iterable[Amount]) -> Amount:
    """All of them together."""
    return sum(amounts, Amount())


def cores_text(thousandths: int) -> str:
    """``1.5`` or ``250m``."""
    if thousandths % _THOUSAND and abs(thousandths) < _THOUSAND:
        return f"{thousandths}m"
    return f"{thousandths / _THOUSAND:g}"


def bytes_text(count: int) -> str:
    """In the largest unit that leaves at most two decimals to be told."""
    for unit, size in _UNITS:
        if abs(count) >= size:
            return f"{round(count / size, 2):g}{unit}"
    return str(count)


class Reader:
    """Reads amounts of one object; what it cannot read is kept in ``unread``, and never counted as nothing."""

    def __init__(self) -> None:
        self.unread: list[str] = []

    def pod(self, template: Any) -> Amount:
        """What one pod is scheduled by: its containers together, or an init container that needs more."""
        spec = _map(_map(template).get("spec"))
        running = total(self._container(each) for each in _maps(spec.get("containers")))
        started, most = Amount(), Amount()
        for each in _maps(spec.get("initContainers")):
            needs = self._container(each)
            if each.get("restartPolicy") == "Always":
                started += needs
                most = most.most(started)
            else:
                most = most.most(started + needs)
        return (running + started).most(most) + self._pair(_map(spec.get("overhead")), "overhead")

    def _container(self, container: Mapping[str, Any]) -> Amount:
        resources = _map(container.get("resources"))
        asked = {**_map(resources.get("limits")), **_map(resources.get("requests"))}
        name = str(container.get("name", "container"))
        for key in ("cpu", "memory"):
            if asked.get(key) is None:
                self.unread.append(f"{name} asks for no {key}")
        return self._pair(asked, name)

    def _pair(self, asked: Mapping[str, Any], where: str) -> Amount:
        return Amount(
            cpu=self._read(asked.get("cpu"), millicores, f"{where}: cpu"),
            memory=self._read(asked.get("memory"), bytes_of, f"{where}: memory"),
        )

    def claim(self, claim: Any) -> Amount:
        """The storage that a claim, or a template of claims, asks for."""
        claim = _map(claim)
        asked = _map(_map(_map(claim.get("spec")).get("resources")).get("requests")).get("storage")
        name = str(_map(claim.get("metadata")).get("name", "claim"))
        if asked is None:
            self.unread.append(f"{name} asks for no storage")
        return Amount(storage=self._read(asked, bytes_of, f"{name}: storage"))

    def number(self, value: Any, otherwise: int, where: str) -> int:
        """A whole number of pods; ``otherwise`` where none is given."""
        if value is None:
            return otherwise
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.unread.append(f"{where}: {str(value)[:40]!r} is no number")
        return otherwise

    def _read(self, value: Any, read: Any, where: str) -> int:
        if value is None or str(value) == "0":
            return 0
        try:
            return int(read(value))
        except ValueError:
            self.unread.append(f"{where}: {str(value)[:40]!r} cannot be read")
            return 0


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))
