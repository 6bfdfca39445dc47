"""The release engine: brings a new version in gradually, judges it all the while, takes it back by itself.

``spec`` and ``status`` are the GrayRelease object; ``decide`` is the state machine, pure; ``engine`` is the shell that
observes, persists and acts; ``drivers`` move a share of the work; ``sources`` and ``judge`` say how the canary does.
"""
