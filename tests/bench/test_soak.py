"""What the soak keeps of a run."""

import json
import sys
from pathlib import Path

from load.answers import Answer, summarise

BENCH = Path(__file__).parents[2] / "bench"


def test_its_figures_are_json(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])
    import soak

    found = soak.Soak(answers=summarise([Answer(0.0, 0.0, 0.01, 200, version="v1")]))
    found.outcomes["promoted"] += 2
    told = json.loads(json.dumps(soak._data(found, {"machine": "any"})))
    assert (told["machine"], told["held"], told["outcomes"]) == ("any", True, {"promoted": 2})
    assert told["answers"]["versions"]["v1"]["answers"] == 1
    found.outcomes["rolled-back"] += 1
    assert not found.held
    assert "rolled-back" in soak.report(found, {})
