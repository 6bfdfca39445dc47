"""Why a change may not be carried out, one error for each exit code that CI branches on."""

from __future__ import annotations

from kube.errors import GraylingError


class ApprovalMissingError(GraylingError):
    """Somebody has to approve this first."""

    exit_code = 4


class StaleError(GraylingError):
    """What was approved is not what would be done."""

    exit_code = 5


class PolicyError(GraylingError):
    """No approval can be given or counted for this, as it stands."""

    exit_code = 6
