"""The calm service of the bench is one, and each row leaves out what it says."""

import numpy as np

from bench.judge import calm
from bench.judge.calm import Service, all_alike, no_bursts, one_by_one
from rollout.judge.baseline.what_history_tells import is_calm


def test_a_calm_service_is_taken_for_one_and_its_fault_is_seen():
    service = Service(0.1, 8)
    assert is_calm(service.evidence.pod_variation).mean() > 0.5
    delay, failed = service.delays(0.0)
    assert (delay < 30).all()
    assert (failed >= 2).all()


def test_what_is_left_out_is(monkeypatch):
    monkeypatch.setattr(calm, "HISTORY_BLOCKS", 4)
    column = np.array([0])
    for change, told in ((no_bursts, "bursts"), (one_by_one, "tempers"), (all_alike, "spreads")):
        both = (Service(0.1, 1, each).evidence.pod_variation for each in (None, change))
        usual, changed = (getattr(each, told)(column) for each in both)
        assert np.ravel(usual)[0] != np.ravel(changed)[0]
