from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.errors import RefusedError
from sandbox.preflight import LEAST_FREE, Machine, check, refusals

FIT = Machine("Linux", 0, "x86_64", LEAST_FREE * 2, Path("/data"))


def test_a_fit_machine_is_not_refused() -> None:
    assert refusals(FIT) == []
    check(FIT)


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        (replace(FIT, system="Darwin"), "Darwin"),
        (replace(FIT, uid=1000), "user 1000"),
        (replace(FIT, processor="riscv64"), "riscv64"),
        (replace(FIT, free_bytes=LEAST_FREE // 2), "4.0 GiB are free where /data lies"),
        (replace(FIT, missing_features=("the overlay file system (module overlay)",)), "module overlay"),
        (replace(FIT, free_watchers=3), "3 file watchers"),
    ],
)
def test_each_refusal_says_what_was_found_and_what_to_do_instead(machine: Machine, found: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check(machine)
    assert found in str(refused.value)
    assert "--context" in str(refused.value)


def test_everything_in_the_way_is_listed() -> None:
    assert len(refusals(replace(FIT, uid=1, free_bytes=0, missing_features=("x",)))) == 3


def test_nothing_else_is_said_where_the_system_is_another() -> None:
    assert len(refusals(replace(FIT, system="Windows", uid=1, free_bytes=0))) == 1


def test_looking_at_a_folder_that_is_not_there_yet_measures_its_disk(tmp_path: Path) -> None:
    seen = Machine.look(tmp_path / "not" / "yet")
    assert seen.disk == tmp_path
    assert seen.free_bytes > 0
