"""A sample of the mutants, and the table of how many the tests saw: `make mutants-sample`.

    python bench/mutants.py try            # tries those of the sample that were not tried yet
    python bench/mutants.py try survivors  # tries those again that the tests did not see
    python bench/mutants.py survivors      # names them
    python bench/mutants.py table          # what was found, per module

All mutants are more than a shared core tries in a day. So from each module as many are drawn, by a seed that stands
here: the same ones again for as long as the module is what it was, and a larger sample holds the smaller. The whole is
weighted by how many a module has.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

SEED, PER_MODULE = 14, 20
MUTANTS, NAMES = Path("mutants"), "names.txt"
Z95 = 1.96

KILLED = {1, 3}
TIMED_OUT = {-24, 24, 36, 152, 255}


class Module(NamedTuple):
    """One module and the mutants drawn of it; of each mutmut's exit code, None where it was not tried."""

    name: str
    mutants: int
    drawn: dict[str, int | None]

    def count(self) -> Counter[str]:
        """How the tried ones ended."""
        return Counter(_end(code) for code in self.drawn.values() if code is not None)


def _end(code: int) -> str:
    return "killed" if code in KILLED else "killed by time" if code in TIMED_OUT else "survived"


def modules(per_module: int = PER_MODULE, seed: int = SEED) -> list[Module]:
    """The modules that mutmut has made mutants of, and the sample drawn of each."""
    found = []
    for path in sorted(MUTANTS.rglob("*.py.meta")):
        codes: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
        name = path.relative_to(MUTANTS).as_posix().removesuffix(".meta")
        dice = random.Random(f"{seed} {name}")
        drawn = dice.sample(sorted(codes), len(codes))[:per_module]
        found += [Module(name, len(codes), {each: codes[each] for each in drawn})] if codes else []
    return found


def interval(killed: int, tried: int) -> tuple[float, float]:
    """Wilson's interval for the part that is killed, of 95 %; both 0 to 1."""
    if not tried:
        return 0.0, 1.0
    part, square = killed / tried, Z95**2
    middle = part + square / (2 * tried)
    wide = Z95 * math.sqrt(part * (1 - part) / tried + square / (4 * tried**2))
    return (middle - wide) / (1 + square / tried), (middle + wide) / (1 + square / tried)


def weighted(found: list[Module]) -> tuple[float, float]:
    """The part of all mutants that the tests see, each module by its size, and half of the interval of 95 %."""
    part = variance = 0.0
    total = sum(each.mutants for each in found)
    for each in found:
        ends, share = each.count(), each.mutants / total
        tried = ends.total()
        if not tried:
            continue
        killed = tried - ends["survived"]
        likely = (killed + 2) / (tried + 4)  # Agresti and Coull: where all were killed, nobody knows that all would be
        part += share * killed / tried
        variance += share**2 * (1 - tried / each.mutants) * likely * (1 - likely) / tried
    return part, Z95 * math.sqrt(variance)


def table(found: list[Module]) -> str:
    """The result in Markdown."""
    lines = ["| module | mutants | tried | killed | survived | 95 % |", "|---|---|---|---|---|---|"]
    whole: Counter[str] = Counter()
    for each in found:
        ends = each.count()
        whole += ends
        lines.append(_row(f"`{each.name}`", each.mutants, ends))
    lines.append(_row("all that were tried", sum(each.mutants for each in found), whole))
    part, half = weighted(found)
    return "\n".join([*lines, "", f"Each module weighted by its mutants: {100 * part:.1f} % ± {100 * half:.1f}."])


def _row(name: str, mutants: int, ends: Counter[str]) -> str:
    tried, survived = ends.total(), ends["survived"]
    killed = tried - survived
    low, high = interval(killed, tried)
    part = f"{killed} ({100 * killed / tried:.0f} %)" if tried else "0"
    return f"| {name} | {mutants:,} | {tried} | {part} | {survived} | {100 * low:.0f} to {100 * high:.0f} |"


def chosen(found: list[Module], which: str) -> list[str]:
    """Names of the sample's mutants that were not tried yet, or that survived; first one of each module, and so on."""
    wanted = {"sample": "", "survivors": "survived"}[which]
    placed = [(at, name) for each in found for at, name in enumerate(each.drawn) if wanted == _told(each.drawn[name])]
    return [name for _, name in sorted(placed)]


def _told(code: int | None) -> str:
    return "" if code is None else _end(code)


def try_out(names: list[str]) -> None:
    """Try mutants in one run of pytest; what was found is kept after each of them."""
    (MUTANTS / NAMES).write_text("\n".join(names))
    settings = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutmut"]
    tests = [*settings["pytest_add_cli_args"], *settings["pytest_add_cli_args_test_selection"]]
    options = ["-p", "tests.mutants.forked", "--rootdir=."]
    environment = {**os.environ, "GRAYLING_MUTANTS": NAMES}
    subprocess.run([sys.executable, "-m", "pytest", *options, *tests], cwd=MUTANTS, env=environment, check=True)


def main(what: str = "table", which: str = "sample") -> None:
    """Do what is asked for."""
    found = modules()
    if what == "table":
        print(table(found))
    elif what == "survivors":
        print(*chosen(found, "survivors"), sep="\n")
    elif names := chosen(found, which):
        try_out(names)


if __name__ == "__main__":
    main(*sys.argv[1:])
