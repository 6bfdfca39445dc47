"""What a release is judged by: a judge that sees less takes faults for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.risks.releases import part
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, listed, mapping, maps, number, said, seconds, text, texts
from rollout.api.durations import duration_of
from rollout.api.spec import KIND, USUAL_ERRORS, Analysis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_KIND = kinds(KIND)
_ANALYSIS = Analysis().wire()
_RANKS = {("roll-back", "roll-back"): 0, ("roll-back", "go-on"): 0, ("hold", "roll-back"): 1, ("hold", "go-on"): 2}
_GOES_ON = 3
_VERDICTS = ("undecided", "noTraffic", "noData", "sourceDown")


def _analyses(change: Change) -> tuple[Json, Json] | None:
    if not change.before or not change.after:
        return None
    return part(change.before, "analysis", _ANALYSIS), part(change.after, "analysis", _ANALYSIS)


def _signals(analysis: Json) -> dict[str, Json]:
    return {text(each, "name"): each for each in maps(analysis, "signals")}


def _fewer_signals(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _analyses(change)
    if not found:
        return
    before, after = (_signals(side) for side in found)
    gone = [
        f"{name} ({text(signal, 'kind')})"
        for name, signal in before.items()
        if name not in after and not _renamed(signal, before, after)
    ]
    if gone:
        left = listed(after) or "no signal that is declared"
        yield Finding(f"no longer judged by {listed(gone)}; left: {left}", None, "spec.analysis.signals")


def _renamed(signal: Json, before: dict[str, Json], after: dict[str, Json]) -> bool:
    """Whether the same signal stands there under a new name."""
    alike = [
        name for name, each in after.items() if name not in before and {**each, "name": ""} == {**signal, "name": ""}
    ]
    return bool(alike)


def _loosened(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _analyses(change)
    if not found:
        return
    before, after = (_signals(side) for side in found)
    for name, old in before.items():
        reasons = list(_looser(old, after[name])) if name in after else []
        if reasons:
            yield Finding(f"{said(name)} sees less: {'; '.join(reasons)}", None, f"spec.analysis.signals[{name}]")


def _looser(old: Json, new: Json) -> Iterator[str]:
    for key, usual in (("tolerance", 1.0), ("floor", None), ("threshold", None)):
        was, will = (seconds(side, key) if key == "threshold" else number(side, key) for side in (old, new))
        was, will = usual if was is None else was, usual if will is None else will
        newly_said = key == "floor" and was is None and will is not None  # what held before depends on the kind
        if newly_said or (was is not None and (will is None or will > was)):
            yield f"{key} {said(old.get(key))} → {said(new.get(key))}"
    was, will = number(old, "weight"), number(new, "weight")
    if was is not None and will is not None and will < was:
        yield f"weight {was:g} → {will:g}"
    for key in ("kind", "source", "metric", "query", "pattern", "label", "container"):
        if old.get(key) != new.get(key):
            yield f"another {key}"
    fewer = set(texts(old, "errors") or USUAL_ERRORS) - set(texts(new, "errors") or USUAL_ERRORS)
    if fewer:
        yield f"{listed(fewer)} is no error any more"


def _rates(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _analyses(change)
    if not found:
        return
    for key, means in _RATES.items():
        was, will = (seconds(side, key) if key == "horizon" else number(side, key) for side in found)
        if was is not None and will is not None and was != will:
            why = means[0] if will > was else means[1]
            if why:
                yield Finding(
                    f"{key} {said(found[0].get(key))} → {said(found[1].get(key))}: {why}",
                    LOW if key == "horizon" else None,
                    f"spec.analysis.{key}",
                )


_RATES = {
    "falseRollbackRate": ("more good versions are taken back", "faults are seen later"),
    "missedRate": ("more faults are missed", ""),
    "promotionMargin": ("`good` proves less", ""),
    "horizon": ("faults are seen later", ""),
}
"""What it means when one is raised, and when it is lowered; empty where that is the safer side."""


def _budget(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _analyses(change)
    was, will = (number(side, "blastBudget") for side in found) if found else (None, None)
    if was is not None and (will is None or will > was):
        yield Finding(
            f"{was:g} → {'no limit' if will is None else f'{will:g}'} failed requests before it goes at once",
            HIGH if will is None or will >= 2 * was else None,
            "spec.analysis.blastBudget",
        )


def _rank(policy: Json) -> int:
    action = text(policy, "action") or "hold"
    return _GOES_ON if action == "go-on" else _RANKS.get((action, text(policy, "then") or "roll-back"), _GOES_ON)


def _evidence(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before = part(change.before, "analysis", _ANALYSIS)
    after = part(change.after, "analysis", _ANALYSIS)
    for verdict in _VERDICTS if change.after else ():
        was, will = ({**mapping(_ANALYSIS, verdict), **mapping(side, verdict)} for side in (before, after))
        if _rank(will) > _rank(was):
            shown = " → ".join(f"{text(side, 'action')}, then {text(side, 'then')}" for side in (was, will))
            mild = verdict == "undecided" or not change.before
            yield Finding(f"{verdict}: {shown}", MEDIUM if mild else None, f"spec.analysis.{verdict}")
        elif _rank(will) == _RANKS["hold", "go-on"] and (seconds(will, "deadline") or 0) < (
            seconds(was, "deadline") or 0
        ):
            yield Finding(
                f"{verdict}: goes on after {said(will.get('deadline'))} instead of {said(was.get('deadline'))}",
                MEDIUM,
                f"spec.analysis.{verdict}",
            )


def _sources(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if not change.before or not change.after:
        return
    before, after = (mapping(side, "spec", "sources") for side in (change.before, change.after))
    for name in sorted({"gateway", "prometheus"} & before.keys()):
        if before[name] is not None and after.get(name) != before[name]:
            gone = after.get(name) is None
            yield Finding(
                f"{name} {'is not read any more' if gone else 'is read elsewhere'}",
                MEDIUM if gone else LOW,
                f"spec.sources.{name}",
            )


def _sampling(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _analyses(change)
    for key in ("young", "settled") if found else ():
        was, will = (seconds(mapping(side, "sampling"), key) for side in found or ())
        if was is not None and will is not None and will > was:
            yield Finding(
                f"signals are read every {duration_of(will)} instead of {duration_of(was)}",
                None,
                f"spec.analysis.sampling.{key}",
            )


_BACK = "declare the old policy again before the next release"

RULES = (
    Rule(
        "release-signals-removed",
        "a release is judged by less",
        "faults of that kind are not seen",
        HIGH,
        _BACK,
        _fewer_signals,
        kinds=_KIND,
    ),
    Rule(
        "release-signal-loosened",
        "a signal sees less",
        "faults are taken for good",
        MEDIUM,
        _BACK,
        _loosened,
        kinds=_KIND,
    ),
    Rule(
        "release-rates-changed",
        "the judge's error rates change",
        "it is wrong more often, or later",
        MEDIUM,
        _BACK,
        _rates,
        kinds=_KIND,
    ),
    Rule(
        "release-blast-budget-raised",
        "more requests may fail",
        "a fault costs more",
        MEDIUM,
        _BACK,
        _budget,
        kinds=_KIND,
    ),
    Rule(
        "release-goes-on-without-evidence",
        "a release goes on without evidence",
        "silence is taken for good",
        HIGH,
        _BACK,
        _evidence,
        kinds=_KIND,
    ),
    Rule(
        "release-sources-removed",
        "a source of evidence goes or is another",
        "signals have no data",
        MEDIUM,
        _BACK,
        _sources,
        kinds=_KIND,
    ),
    Rule(
        "release-sampled-less",
        "signals are read less often",
        "faults are seen later",
        LOW,
        _BACK,
        _sampling,
        kinds=_KIND,
    ),
)
