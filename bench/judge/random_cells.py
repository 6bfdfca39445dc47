"""Healthy services drawn at random, for one pooled row of the table: what nobody chose and nobody tuned on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping


def drawn(number: int, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a service: traffic, pods, how they differ, and none to two of the kinds of noise there are.

    Args:
        number: the same service for the same number.
        defaults: of noise.yaml, for what is not drawn.
    """
    rng = np.random.default_rng([number, *b"random"])

    def between(least: float, most: float) -> float:
        """Alike in every decade."""
        return float(np.exp(rng.uniform(np.log(least), np.log(most))))

    pods = round(between(2, 300))
    said: dict[str, Any] = {
        "rps": between(1, 100_000),
        "pods": pods,
        "canary_pods": round(between(1, max(pods / 8, 1))),
        "errors": between(0.0005, 0.02),
        "median_seconds": between(0.01, 0.5),
        "sigma": float(rng.uniform(0.4, 1.0)),
        "spread": {
            "errors": float(rng.uniform(0, 0.3)),
            "latency": float(rng.uniform(0, 0.07)),
            "shape": str(rng.choice(["normal", "student3", "two-point"])),
        },
    }
    noises: dict[str, Any] = {
        "neighbour": {
            "chance": float(rng.uniform(0.02, 0.1)),
            "seconds": between(15, 300),
            "errors": between(2, 10),
            "latency": float(rng.uniform(1, 1.5)),
        },
        "wander": {
            "errors": float(rng.uniform(0.1, 0.4)),
            "latency": float(rng.uniform(0, 0.1)),
            "seconds": between(60, 1200),
        },
        "slow": {
            "share": float(rng.uniform(0.1, 0.35)),
            "errors": float(rng.uniform(1, 1.5)),
            "latency": float(rng.uniform(1, 1.3)),
            "groups": int(rng.choice([0, 3])),
        },
        "cron": {
            "minutes": between(5, 20),
            "seconds": between(30, 120),
            "errors": between(2, 15),
            "latency": float(rng.uniform(1, 1.6)),
        },
        "dependency": {
            "at": float(rng.uniform(1, 20)),
            "seconds": between(60, 300),
            "errors": between(3, 30),
            "latency": float(rng.uniform(1, 2)),
            "apart": float(rng.uniform(0, 30)),
        },
        "outage": {"seconds": between(60, 900), "errors": between(0.05, 0.5)},
        "timeouts": {"share": between(0.0005, 0.005), "hit": 0.0},
    }
    chosen = rng.choice(list(noises), size=int(rng.integers(0, 3)), replace=False)
    said |= {str(name): noises[name] for name in chosen}
    if rng.random() < 0.2:  # noqa: PLR2004 - of one service in five failures come in groups
        said["clump"] = round(between(2, 20))
    return {
        name: default | said.get(name, {}) if isinstance(default, dict) else said.get(name, default)
        for name, default in defaults.items()
    }
