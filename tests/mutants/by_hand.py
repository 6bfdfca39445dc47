"""Faults that the engine once had, or nearly had, put back by hand one at a time: each must fail the tests it names.

    make mutants-by-hand     # or: python -m tests.mutants.by_hand

What was tried is kept in `mutants/by-hand.json` for as long as neither the engine nor the tests change, so a run that
was stopped goes on where it was. It answers 1 where a fault was not seen.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "mutants" / "by-hand.json"
COPY = ROOT / "mutants" / "by-hand"
ROOMS = ("components", "docs", "examples", "kube", "manifests", "review", "rollout", "sandbox", "terminal", "tests")
FILES = ("grayling.py", "pyproject.toml")

PLUGIN = "tests.mutants.fastest_first"
"""Lets tests of an engine take no time."""

TERM, EFFORTS = "tests/rollout/engine/test_term.py", "tests/rollout/engine/test_efforts.py"
ROLLBACKS = "tests/rollout/decide/test_rollbacks.py"


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: what is done wrong.
        file: where it is put.
        right: the lines as they are; they stand in the file exactly once.
        wrong: what they are replaced by.
        tests: that must fail then; ids as pytest knows them.
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]

    def put_into(self, text: str) -> str:
        """The file's text with the fault in it.

        Raises:
            ValueError: the lines are not there exactly once.
        """
        if text.count(self.right) != 1:
            raise ValueError(
                f"{self.file} has {text.count(self.right)} times {self.right!r}, and needs it once for the fault "
                f"{self.name!r}: mend the list in tests/mutants/by_hand.py"
            )
        return text.replace(self.right, self.wrong)


FAULTS = (
    Fault(
        "an action is done before the status that promises it is persisted",
        "rollout/engine/term.py",
        "            await self._keep(manifest, ctx)\n        self._teller.besides",
        "            await self._hands.perform(actions)\n"
        "            await self._keep(manifest, ctx)\n        self._teller.besides",
        (f"{TERM}::test_what_is_promised_is_persisted_before_it_is_done",),
    ),
    Fault(
        "the judge's sums are not saved within a step",
        "rollout/engine/keeping.py",
        "judged = session.assessment is not None and now - self._saved_at >= SAVE_EVERY",
        "judged = False",
        (f"{TERM}::test_the_judges_sums_are_kept_within_a_step",),
    ),
    Fault(
        "a holder with a higher epoch is not noticed when the status is written",
        "rollout/engine/store.py",
        "if self.persisted.epoch > status.epoch:",
        "if False:",
        (f"{TERM}::test_another_holders_status_ends_the_term",),
    ),
    Fault(
        "a holder with a higher epoch is not noticed when a revision is changed",
        "rollout/drivers/own_objects.py",
        "if deployment is not None and known is not None and known > epoch:",
        "if deployment is None:",
        ("tests/rollout/engine/test_act.py::test_a_holder_whose_time_is_over_changes_nothing",),
    ),
    Fault(
        "a release goes on though another version is desired by now",
        "rollout/decide/decide.py",
        "if overtaken := _overtaken(ctx):",
        "if (overtaken := _overtaken(ctx)) and False:",
        (f"{ROLLBACKS}::test_cancel", f"{ROLLBACKS}::test_supersede"),
    ),
    Fault(
        "pods are taken from a version though its weight could not be written",
        "rollout/engine/efforts.py",
        'return "Shift" in self._rows and name.partition(" ")[0] in RELYING',
        "return False",
        (f"{EFFORTS}::test_nothing_is_taken_from_pods_while_weights_cannot_be_written",),
    ),
    Fault(
        "a status that could not be written is gone on with",
        "rollout/engine/keeping.py",
        "            status = await self._store.save(status)\n            self._saved_at",
        "            status = await self._tell(status, now)\n            self._saved_at",
        (f"{TERM}::test_a_status_that_cannot_be_written_raises_no_weight",),
    ),
    Fault(
        "a rollback is not carried on first when it is taken over",
        "rollout/engine/beginning.py",
        "if status.phase is Phase.ROLLING_BACK and (weights := weights_of(status)):",
        "if (weights := weights_of(status)) and False:",
        (f"{TERM}::test_a_rollback_is_carried_on_before_anything_is_read",),
    ),
    Fault(
        "quiet from before weight 0 was written counts",
        "rollout/decide/verify.py",
        "quiet = min(share.canary_quiet_seconds, since)",
        "quiet = share.canary_quiet_seconds",
        ("tests/rollout/decide/test_limits.py::test_quiet_counts_from_weight_zero_on_and_needs_a_second",),
    ),
    Fault(
        "a rollback waits for quiet without end",
        "rollout/decide/rolling_back.py",
        "    return over(ctx, zero_clock(ctx))",
        "    return False",
        (f"{ROLLBACKS}::test_no_rollback_waits_for_ever_and_weight_zero_stays_wanted",),
    ),
)


def _digest(*parts: str) -> str:
    files = [path for room in ("rollout", "tests") for path in sorted((ROOT / room).rglob("*.py"))]
    content = hashlib.sha256()
    for part in (*parts, *(path.read_text() for path in files)):
        content.update(part.encode() + b"\0")
    return content.hexdigest()[:16]


def _copy() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    unwanted = shutil.ignore_patterns("__pycache__", "node_modules")
    for room in ROOMS:
        shutil.copytree(ROOT / room, COPY / room, ignore=unwanted)
    for name in FILES:
        shutil.copy(ROOT / name, COPY / name)


def _fails(tests: tuple[str, ...]) -> bool:
    """Whether a test among these fails in the copy.

    Raises:
        RuntimeError: they could not be run.
    """
    options = ["-q", "-x", "-p", "no:xdist", "-p", "no:cacheprovider", "-p", PLUGIN, f"--rootdir={COPY}"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "GRAYLING_VIRTUAL_TIME": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=COPY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"pytest ended with {done.returncode} for {', '.join(tests)}:\n{done.stdout[-2000:]}")
    return done.returncode == 1


def _try(fault: Fault) -> str:
    place = COPY / fault.file
    right = place.read_text()
    if _fails(fault.tests):
        return "its tests fail without it"
    place.write_text(fault.put_into(right))
    try:
        return "killed" if _fails(fault.tests) else "survived"
    finally:
        place.write_text(right)


def main() -> int:
    """Try what was not tried yet; a table of all."""
    known: dict[str, str] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    keys = {_digest(repr(fault)): fault for fault in FAULTS}
    copied = False
    for key, fault in keys.items():
        if key not in known:
            if not copied:
                _copy()
                copied = True
            known[key] = _try(fault)
            KEPT.write_text(json.dumps(known))
        print(f"{known[key]:10} {fault.name} ({fault.file})", flush=True)  # noqa: T201 - a command
    return int(any(known[key] != "killed" for key in keys))


if __name__ == "__main__":
    sys.exit(main())
