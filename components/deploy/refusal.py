"""What a command will not do to a cluster, said before its first write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.errors import GraylingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_NAMED = 8


class RefusedError(GraylingError):
    """Something on the cluster stands against it; nothing was written.

    Attributes:
        reasons: each with what to do about it.
    """

    exit_code = 6

    def __init__(self, what: str, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            "\n".join([f"{what}: refused, and nothing was changed", *(f"  {one}" for one in self.reasons)])
        )


class NothingThereError(GraylingError):
    """The stack was never applied to that cluster, or is gone."""


def named(labels: Sequence[str]) -> str:
    """A few of many: ``ConfigMap shop/a, ConfigMap shop/b and 40 more``."""
    shown, rest = list(labels[:MOST_NAMED]), len(labels) - MOST_NAMED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
