"""What can be measured of a version: the table of signal kinds, how figures are written, and what a look has of them.

Everything above reads it: spec, judge, sources, views, alerts and dashboards. It imports nothing of ``rollout``.
"""
