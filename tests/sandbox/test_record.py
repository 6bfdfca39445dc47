from pathlib import Path

from sandbox import record
from sandbox.layout import State
from sandbox.record import Record


def proc(tmp_path: Path, pid: int, started: int, state: str = "S", boot: str = "b1") -> Path:
    folder = tmp_path / "proc"
    (folder / str(pid)).mkdir(parents=True, exist_ok=True)
    (folder / str(pid) / "stat").write_text(f"{pid} (a ) name) {state} " + "0 " * 18 + f"{started} 0\n")
    (folder / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (folder / "sys/kernel/random/boot_id").write_text(boot + "\n")
    return folder


def test_a_box_is_alive_only_as_the_same_process_of_the_same_boot(tmp_path: Path) -> None:
    machine = proc(tmp_path, 7, 500)
    box = Record("x", 0, "k").running_as(7, machine)
    assert box.alive(machine)
    assert not box.alive(proc(tmp_path, 7, 501))
    assert not box.alive(proc(tmp_path, 7, 500, state="Z"))
    assert not box.alive(proc(tmp_path, 7, 500, boot="b2"))
    assert box.alive(proc(tmp_path, 7, 500))


def test_a_box_without_a_process_is_not_alive(tmp_path: Path) -> None:
    assert not Record("x", 0, "k").alive(proc(tmp_path, 1, 1))


def test_a_record_survives_saving_and_half_of_one_is_none(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert record.load(state) is None
    box = Record("x", 3, "k", 1, 2, "b")
    box.save(state)
    assert record.load(state) == box
    state.record.write_text('{"name": "x"')
    assert record.load(state) is None
