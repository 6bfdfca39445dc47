"""What is believed of the noise of stable's pods until their history tells, and how much history that takes."""

import numpy as np

from rollout.judge.model.onset_prior import Floats

ENOUGH_BLOCKS = 600
"""Pod-blocks after which the learned exponent counts fully (15 minutes of ten pods)."""

ENOUGH_FAILURES = 20.0
"""Failures after which it counts fully."""

PRIOR_TEMPER = 0.5
"""Exponent of the likelihood while history does not tell how clumped rare failures are: one over how many come
together, by Jensen's inequality."""

BURST_VARIANCE = 0.04
"""Variance of a pod's log rate between blocks, while history does not tell it: what is frequent is known no finer."""

PRIOR_BURST: Floats = np.log([[0.3, 0.1, 0.1, 0.5, *[0.003] * 4], [0.6, 0.2, 0.1, 0.1, *[0.003] * 4]])
"""Log weights of the kinds before history tells: for failures, and for slow requests.

A burst that makes ten times as many requests slow would excuse a canary that answers none in time.
"""

CAUTION = (0.55, 0.42)
"""What is left of the largest exponent: 97 % where it is 1, less where noise was found that may be worse yet."""

ALONE = 0.85
"""Failures come one by one where one over how many come together is more than this."""

TELLING = 20.0
"""Failures that history must show before it outweighs the belief of how many come together (variance over mean)."""

KNOWN = 0.5
"""How much of `ENOUGH_BLOCKS` there must be before pods that are hit are left out of what others are held against."""
