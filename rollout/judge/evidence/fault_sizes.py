"""Which faults the ratio test looks for: log ratios, and how much of the prior mass each has."""

import math

import numpy as np

from rollout.judge.model.onset_prior import Floats

STEPS: Floats = np.linspace(math.log(1.4), math.log(20), 6)
"""Log ratios d that a fault may add to the pod effect: 1.4 to 20. Below that a rollback is not worth it."""

STEP_WEIGHTS: Floats = np.array([0.18, 0.22, 0.18, 0.14, 0.14, 0.14])
"""Prior mass of each step: more of it where a fault is so small that it takes long."""

RIDIT_STEPS: Floats = np.log([1.25, 1.6, 2.2, 3.5, 7, 20])
"""The same where requests have scores: a median slower by a tenth moves their odds by little more than the first."""

RIDIT_STEP_WEIGHTS: Floats = np.array([0.29, 0.10, 0.12, 0.33, 0.08, 0.08])
"""Prior mass of each of those."""
