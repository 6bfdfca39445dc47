"""The list of faults that are put back by hand fits the engine and the tests as they are; samples and their figures."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.mutants.by_hand import FAULTS, ROOT, Fault
from tests.mutants.fastest_first import AT_MOST, asked_about, is_asked

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_mutants", ROOT / "bench" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_put_into_the_engine_as_it_is_and_names_tests_that_exist(fault: Fault):
    text = (ROOT / fault.file).read_text()
    spoilt = fault.put_into(text)
    assert spoilt != text
    ast.parse(spoilt)
    for test in fault.tests:
        file, _, name = test.partition("::")
        defined = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if hasattr(node, "name")}
        assert name in defined


def test_a_fault_whose_lines_are_gone_is_told_with_what_to_do():
    gone = Fault("x", "rollout/decide/decide.py", "no such line", "", ())
    with pytest.raises(ValueError, match=r"rollout/decide/decide.py has 0 times 'no such line'.*mend the list"):
        gone.put_into("a line\n")


def test_what_decides_is_asked_of_its_own_tests():
    decide, engine = "tests/rollout/decide/a.py::b", "tests/rollout/engine/d.py::e"
    assert is_asked("rollout.decide.verify.x_verify__mutmut_1", decide)
    assert not is_asked("rollout.decide.verify.x_verify__mutmut_1", engine)
    assert is_asked("rollout.engine.term.x_look__mutmut_1", engine)
    assert is_asked("rollout.notify.courier.x_feed__mutmut_1", engine)
    assert not is_asked("rollout.decide.verify.x_verify__mutmut_1", "tests/rollout/notify/a.py::b")


def _meta(folder: Path, name: str, codes: dict[str, Any]) -> None:
    path = folder / f"{name}.meta"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"exit_code_by_key": codes}))


def test_the_same_sample_is_drawn_again_and_one_module_does_not_change_anothers(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "MUTANTS", tmp_path)
    _meta(tmp_path, "rollout/a.py", {f"a{n}": None for n in range(100)})
    _meta(tmp_path, "rollout/b.py", {f"b{n}": None for n in range(10)})
    first, second = bench.modules(), bench.modules()
    assert first == second
    assert [len(each.drawn) for each in first] == [20, 10]
    _meta(tmp_path, "rollout/b.py", {f"b{n}": 1 for n in range(50)})
    assert bench.modules()[0] == first[0]


def test_what_no_test_reaches_has_survived(bench):
    made = bench.Module("a", 4, {"killed": 1, "survived": 0, "no tests": 33, "hung": -24, "not tried": None})
    assert made.count() == Counter({"survived": 2, "killed": 1, "killed by time": 1})
    assert "| 4 | 4 | 2 (50 %) | 2 |" in bench.table([made])


def test_the_interval_holds_the_truth_as_often_as_it_says(bench):
    low, high = bench.interval(36, 40)
    assert (round(low, 3), round(high, 3)) == (0.769, 0.960)  # Wilson, as statsmodels has it
    assert bench.interval(0, 0) == (0.0, 1.0)


def test_a_module_counts_by_its_size_and_a_few_that_were_all_killed_prove_little(bench):
    big = bench.Module("big", 900, {f"x{n}": 1 for n in range(40)})
    small = bench.Module("small", 100, {f"y{n}": 0 for n in range(40)})
    part, half = bench.weighted([big, small])
    assert part == pytest.approx(0.9)
    assert 0.03 < half < 0.1
    fewer = big._replace(drawn=dict(list(big.drawn.items())[:5]))
    assert bench.weighted([fewer, small])[1] > 2 * half
    whole = bench.Module("whole", 40, {f"z{n}": 1 for n in range(40)})
    assert bench.weighted([whole]) == (1.0, 0.0), "nothing is left to chance"


def test_the_quickest_tests_that_reach_a_mutant_come_first_for_as_long_as_was_said(monkeypatch):
    reach = {"rollout.engine.term.x_look": ["slow", "quick", "new"], "rollout.engine.term.x_other": ["another"]}
    took = {"slow": 9.0, "quick": 1.0, "another": 0.1}
    assert asked_about("rollout.engine.term.x_look__mutmut_7", reach, took) == ["new", "quick", "slow"]
    monkeypatch.setenv(AT_MOST, "5")
    assert asked_about("rollout.engine.term.x_look__mutmut_7", reach, took) == ["new", "quick"]
    assert asked_about("rollout.engine.term.x_nobody__mutmut_7", reach, took) == []


def test_first_one_of_each_module_is_tried(bench):
    one = bench.Module("a", 3, {"a1": None, "a2": 1, "a3": 0})
    two = bench.Module("b", 2, {"b1": 0, "b2": None})
    assert bench.chosen([one, two], "sample") == ["a1", "b2"]
    assert bench.chosen([one, two], "survivors") == ["b1", "a3"]
