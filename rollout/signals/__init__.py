"""What can be measured of a version: the table of signal kinds, and how figures are written.

Everything above reads it: spec, judge, sources, views, alerts and dashboards. It imports nothing of ``rollout``.
"""
