"""What a case of an alert is made of: series of an environment in which all is well, and what a fault makes of them.

Each kind has a module in this folder, by its name (`envoy-gateway`: `envoy_gateway`), with

- ``MODES``: settings with which it is tried; the last alerts that it can yield come with one of them,
- ``COMPONENT``: those with which all its alerts are there,
- ``WELL``: its series while all is well, by name,
- ``CASES``: each alert with its faults; where one can come in two ways, both.
"""

from __future__ import annotations

from dataclasses import dataclass, field


def of(name, metric, values, pod="0", **labels):
    """One series of a component's pod."""
    every = {"namespace": "shop", "instance_name": name, "pod": f"{name}-{pod}", **labels}
    return metric + "{" + ",".join(f'{key}="{value}"' for key, value in every.items()) + "}", values


def up(name):
    """The series that says that its pod answers."""
    return of(name, "up", "1+0", component="")


ALWAYS = ("Watchdog",)
"""Alerts that fire while all is well: whoever expects them hears by their absence."""


@dataclass(frozen=True)
class Fault:
    """From the middle of the time on, series that begin with ``where`` go this way; None: they end.

    Values are ``start+step`` for counters. ``labels`` are those the alert has besides the rule's own. Each half has so
    many samples, so many seconds apart: half an hour, where nothing else is said.
    """

    where: dict[str, str | None]
    labels: dict[str, str] = field(default_factory=dict)
    half: int = 120
    apart: int = 15


def fills(name, resource, where):
    """A resource that grows for 25 hours from half of what there is, after 25 quiet ones."""
    return Fault(where, owner(name, resource=resource), half=300, apart=300)


def owner(name, **more):
    """Labels of an alert about something that is gone."""
    return {"namespace": "shop", "instance_name": name, **more}


def one(name, **more):
    """Labels of an alert about one pod."""
    return owner(name, pod=f"{name}-0", **more)
