"""Reading and approving what a preview will really change: previews, risks, digests, approvals, drift, reports, CI.

``review`` stands above ``components`` and ``rollout``; neither imports it.
"""
