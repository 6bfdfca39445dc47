"""The blast budget alone, in small."""

from bench.judge.budget_run import row
from bench.judge.noise_worlds import cells


def test_a_gross_fault_spends_the_budget_and_a_healthy_canary_does_not():
    gross, healthy = (row(cells()[key], 100, 2, 57) for key in ("F-20k", "rps20k"))
    assert gross.endswith("| 100%, 15 s |")
    assert healthy.endswith("| 0% |")
