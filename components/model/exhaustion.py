"""What can be used up, and a warning before it is: each component names its resources, one model watches all of them.

A rule records how much of each is used, as a share of what there is. A warning needs that share to reach 1 within the
horizon by its growth now *and* by its growth in the window before (a step is in one of them, a spike in neither), and
to be well above all that the week before has seen (a cycle, a saw-tooth and a clean-up have been there before).
`bench/early_warning.py` measures how often that is wrong, and docs/reference/early-warning.md tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.model.observability import AlertRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.model.component import Component

RATIO = "grayling:resource_used:ratio"
"""The recorded series: the share of a resource that is used, with the labels namespace, instance_name and resource."""

EVERY = "1m"
"""How often it is recorded, and the warnings evaluated: windows are long, and a minute more or less tells nothing."""

HOLD = "30m"
FLOOR = 0.5
"""Of less than half nobody is warned."""

SIMULATED, REAL = 0.08, 0.25
"""False alarms in a week of a signal, at most: over all quiet weeks that are simulated, and of real loads."""

MEASURED = (
    f"false alarms: {SIMULATED:g} in a week of a signal over all simulated quiet weeks, none where use is steady or "
    f"follows the day or the week, {REAL:g} of real loads (bench/results/early-warning.md)"
)
"""What each warning says of itself; a test holds it against bench/results/early-warning.json."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How far ahead is looked, by growth in two windows, each a fraction of that.

    Attributes:
        ahead: hours until nothing would be left.
        window: hours of each of the two windows.
        margin: part of what was left at the week's highest use that must be used as well.
    """

    ahead: int
    window: int
    margin: float


PACES = (Pace(4, 1, 0.2), Pace(24, 6, 0.4))
"""What fills within hours, and what fills within days: slow growth takes longer to tell from a long cycle."""


def recordings(member: Component) -> list[dict[str, Any]]:
    """Rules of Prometheus that record how much is used of each."""
    where = {"namespace": member.environment.namespace, "instance_name": member.name}
    return [
        {"record": RATIO, "expr": each.used, "labels": {**where, "resource": each.name}} for each in member.resources()
    ]


def warnings(member: Component) -> Iterable[AlertRule]:
    """One alert for each resource."""
    who = f"{member.environment.namespace}/{member.name}"
    for each in member.resources():
        series = f'{RATIO}{{{member.metrics_selector},resource="{each.name}"}}'
        yield AlertRule(
            each.alert,
            running_out(series),
            f"{who} {each.end} within a day, by how its use grows now ({each.name})",
            HOLD,
            section=each.section,
            every=EVERY,
            description=MEASURED,
        )


def running_out(series: str) -> str:
    """PromQL: what a share is now, if it reaches 1 at either pace; nothing before it is known for a day."""
    grows = " or ".join(f"({_grows(series, pace)})" for pace in PACES)
    return f"({grows}) and count_over_time({series}[6d] offset 1d) > 0"


def _grows(series: str, pace: Pace) -> str:
    window, seconds = f"{pace.window}h", pace.ahead * 3600
    highest = f"max_over_time({series}[1w] offset {2 * pace.window}h)"
    return " and ".join(
        [
            f"{series} > {FLOOR}",
            f"{series} + {seconds} * deriv({series}[{window}]) > 1",
            f"{series} + {seconds} * deriv({series}[{window}] offset {window}) > 1",
            f"{series} > {1 - pace.margin:g} * {highest} + {pace.margin:g}",
        ]
    )
