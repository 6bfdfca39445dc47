"""What must be true of the world, whatever happens to the engines: checked on the server's objects at every write."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from rollout.api.persisted import read_status
from rollout.api.status import (
    Outcome,
    Phase,
    Status,
    timestamp,
)
from rollout.drivers.httproute.route import EPOCH_ANNOTATION
from rollout.signals.looks import SourceStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.notify.channels import News
    from tests.fakes.inprocess import InProcess
    from tests.rollout.engine.plant import Callers

TOLD_SECONDS = 0.4
EXPOSED_SECONDS = 25.0
"""Within so many seconds a bad canary is gone, counted while an engine, its sources and the route can be used."""

MOST_REQUESTS_A_MINUTE = 6000
MOST_STATUS = 512 * 1024


class Laws:
    """Watches one world."""

    name = "laws"

    def __init__(
        self, server: InProcess, callers: Callers, note: Callable[[str], None], now: Callable[[], float]
    ) -> None:
        self._server, self._callers, self._note, self._now = server, callers, note, now
        self._broken: str = ""
        self._put, self._remove = server.put, server.remove
        self._route_edited = False
        self._scaled: set[str] = set()
        self._route_failed_at = float("-inf")
        self._exposed = 0.0
        self._route_epoch = 0
        self._carried_out: list[str] = []
        self._journals: dict[str, list[tuple[float, str]]] = {}
        self._told: dict[str, dict[tuple[str, str], None]] = {}
        self._begun = False
        self._release: dict[str, Any] = {}
        server.put = self._checked_put  # type: ignore[method-assign]
        server.remove = self._checked_remove  # type: ignore[method-assign]

    # ------------------------------------------------------------------ told by the world

    def begin(self) -> None:
        """The first version serves: from now on there is something to lose."""
        self._begun = True

    def failed(self, _method: str, path: str, _fate: int | str) -> None:
        """A request failed."""
        if "httproutes" in path:
            self._route_failed_at = self._now()

    def edited_route(self) -> None:
        """Somebody else is about to write the route."""
        self._route_edited = True

    def scaled(self, name: str) -> None:
        """Somebody else is about to scale a Deployment."""
        self._scaled.add(name)

    async def tell(self, entry: News) -> None:
        """What this world's own channel hears, from whatever engine; slow enough for engines to die before it has."""
        await asyncio.sleep(TOLD_SECONDS)
        for release in entry.releases:
            heard = (timestamp(entry.entry.at), str(entry.entry.what))
            self._told.setdefault(release.id, {}).setdefault(heard)

    def raise_if_broken(self) -> None:
        """Tell of the first law that was broken."""
        assert not self._broken, self._broken

    # ------------------------------------------------------------------ writes

    def _checked_put(self, item: dict[str, Any]) -> dict[str, Any]:
        kind = item["kind"]
        before = self._server.find(kind, item["metadata"]["name"], item["metadata"].get("namespace") or "")
        before = json.loads(json.dumps(before)) if before else None
        made = self._put(item)
        try:
            if kind == "HTTPRoute":
                self._route(before, made)
            elif kind == "GrayRelease":
                self._status(before, made)
            elif kind == "Deployment":
                self._deployment(before, made)
        except AssertionError as error:
            self._break(str(error))
        return made

    def _checked_remove(self, key: tuple[str, str, str, str]) -> None:
        item = self._server.objects.get(key)
        if item is not None and key[1] in {"deployments", "services", "httproutes"}:
            owners = {owner["uid"] for owner in item["metadata"].get("ownerReferences") or ()}
            if "uid-checkout" not in owners:
                self._break(f"{item['kind']} {key[3]} was removed and is not the release's")
        self._remove(key)

    def _break(self, text: str) -> None:
        if not self._broken:
            self._broken = f"at {self._now():.3f}: {text}"
            self._note(f"BROKEN: {text}")

    def _persisted(self) -> Status:
        found = self._server.find("GrayRelease", "checkout")
        return read_status((found or {}).get("status"))[0]

    def _route(self, before: dict[str, Any] | None, route: dict[str, Any]) -> None:
        if self._route_edited:
            self._route_edited = False
            return
        if before is not None and before["spec"] == route["spec"]:
            return
        epoch = int(route["metadata"]["annotations"].get(EPOCH_ANNOTATION, 0))
        assert epoch >= self._route_epoch, f"the route went from epoch {self._route_epoch} to {epoch}"
        self._route_epoch = epoch
        status = self._persisted()
        full = {each.revision for each in (status.stable, status.previous) if each}
        for ref in route["spec"]["rules"][0]["backendRefs"]:
            name, weight = ref["name"], int(ref.get("weight", 1))
            if weight and name not in full:
                allowed = status.weight.desired if status.canary and status.canary.revision == name else 0
                allowed = 0 if status.withdrawn_at is not None else allowed
                assert weight <= allowed, f"{name} has {weight} %, and the status that is persisted says {allowed}"

    def _status(self, before: dict[str, Any] | None, made: dict[str, Any]) -> None:
        assert len(json.dumps(made.get("status") or {})) < MOST_STATUS, "the status is too large"
        old = read_status((before or {}).get("status"))[0]
        new = read_status(made.get("status"))[0]
        if new.command and new.command != old.command:
            assert new.command not in self._carried_out, f"command {new.command} was carried out twice"
            self._carried_out.append(new.command)
        if new.phase is Phase.BAKING and old.phase is not Phase.BAKING and new.release is not None:
            for step in new.release.steps:
                assert step.verdict in {"good", "undecided"} or step.verdict.startswith("skipped"), (
                    f"promoted with step {step.index + 1} {step.verdict!r}"
                )
        if new.stable and old.stable and new.stable.revision != old.stable.revision and new.phase is Phase.IDLE:
            assert "bad" not in new.stable.image, "a bad version was promoted"
        for release in filter(None, (new.release, new.last)):
            entries = [(entry.at, entry.what) for entry in release.journal]
            known = self._journals.get(release.id, [])
            assert release.journal_dropped or entries[: len(known)] == known, "an entry that was persisted is lost"
            self._journals[release.id] = entries

    def _deployment(self, before: dict[str, Any] | None, made: dict[str, Any]) -> None:
        name, status = made["metadata"]["name"], self._persisted()
        if before is None or name in self._scaled:
            return
        serving = {each.revision for each in (status.stable, status.previous) if each}
        fewer = made["spec"]["replicas"] < before["spec"]["replicas"]
        assert not (fewer and name in serving and status.in_flight), f"{name} serves and loses pods"

    def _all_told(self) -> None:
        """Each entry that was ever persisted was told, and for the first time in the order of its journal."""
        for identity, journal in self._journals.items():
            wanted = list(dict.fromkeys((timestamp(at), what) for at, what in journal))
            heard = [each for each in self._told.get(identity, {}) if each in wanted]
            assert heard == wanted, f"of the journal of {identity} was told {heard}, not {wanted}"

    # ------------------------------------------------------------------ time

    async def watch(self) -> None:
        """Count for how long a bad canary is exposed while it could be taken back, and how much is asked."""
        asked_before, minute = self._server.asked, self._now()
        while True:
            await asyncio.sleep(0.25)
            self._exposed = self._exposed + 0.25 if self._is_exposed() else 0.0
            if self._exposed > EXPOSED_SECONDS:
                self._break(f"a bad version has had traffic for {self._exposed:g} s")
            if self._now() - minute >= 60:
                asked = self._server.asked - asked_before
                if asked > MOST_REQUESTS_A_MINUTE:
                    self._break(f"{asked} requests in a minute")
                asked_before, minute = self._server.asked, self._now()

    def _is_exposed(self) -> bool:
        usable = self._callers.status is SourceStatus.OK and not self._server.silent
        usable = usable and self._now() - self._route_failed_at > 5.0
        if not self._begun or not usable or not self._server.is_attended():
            return False
        weights = self._callers.weights()
        return any(weight and "bad" in self._callers.image(name) for name, weight in weights.items())

    def at_rest(self, status: Status) -> None:
        """When everything is calm: the route leads to what serves, and to nothing else."""
        self._all_told()
        self.raise_if_broken()
        assert status.stable is not None
        weights = {name for name, weight in self._callers.weights().items() if weight}
        assert weights == {status.stable.revision}, f"at rest the route leads to {weights}"
        assert "bad" not in status.stable.image
        legacy = self._server.find("Deployment", "legacy")
        assert legacy is None or legacy["spec"]["replicas"] == 0
        if status.last is not None:
            assert status.last.outcome in set(Outcome)
