"""What is checked before a commit is what `make check` checks, by the tools that are installed here."""

import re
import tomllib
from pathlib import Path

import yaml

from sandbox.workshop import ENGINE_PARTS

ROOT = Path(__file__).parents[1]


def checked() -> list[str]:
    """The commands of `make check`."""
    recipe = (ROOT / "Makefile").read_text().split("\ncheck:")[1].split("\n\n")[0].splitlines()[1:]
    return [line.strip().removeprefix("$(BIN)/") for line in recipe]


def test_hooks_call_every_tool_of_make_check_and_download_nothing():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    assert all(hook["language"] == "system" for hook in repo["hooks"])
    entries = [hook["entry"].removeprefix(".venv/bin/") for hook in repo["hooks"]]
    assert [tool_of(each) for each in entries] == [tool_of(each) for each in checked()]
    (rooms,) = (each.split()[2:] for each in checked() if each.startswith("interrogate"))
    wanted = [room for room in rooms if not room.startswith(("$", "review"))]
    (there,) = (each.split()[2:] for each in entries if each.startswith("interrogate"))
    assert [room for room in there if room != "review"] == wanted


def tool_of(command: str) -> list[str]:
    """The tool, its verb and whether it only checks."""
    words = command.split()
    return words[: 2 if words[0] == "ruff" else 1] + [word for word in words if word == "--check"]


def test_templates_name_commands_that_there_are():
    text = (ROOT / ".github" / "pull_request_template.md").read_text()
    targets = (ROOT / "Makefile").read_text()
    assert "`make check`" in text
    assert "`make generate`" in text
    assert "\ncheck:" in targets
    assert "\ngenerate:" in targets
    for template in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"):
        head = yaml.safe_load(template.read_text().split("---")[1])
        assert head.keys() == {"name", "about"}


def test_the_engines_image_has_every_room_that_is_installed_but_the_sandbox():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel["only-include"]) == sorted([*ENGINE_PARTS, "sandbox"])


def test_nothing_is_skipped_but_for_the_cli_of_pulumi():
    skips = re.compile(r"\bskip(if)?\(|importorskip")
    tests = set((ROOT / "tests").rglob("*.py")) - {Path(__file__)}
    assert [path for path in tests if skips.search(path.read_text())] == [ROOT / "tests" / "conftest.py"]
    assert (ROOT / "tests" / "conftest.py").read_text().count("skip(") == 1


def test_the_table_of_rooms_says_who_imports_whom():
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]*)\|$", guide.split("\n## The rooms")[1], re.MULTILINE)
    assert {room for room, _ in rows} == set(PRODUCT)
    for room, cell in rows:
        text = "\n".join(path.read_text() for path in (ROOT / room).rglob("*.py"))
        found = set(re.findall(rf"^ *(?:from|import) ((?:{'|'.join(PRODUCT)})(?:\.\w+)?)", text, re.MULTILINE))
        said = set(re.findall(r"`([\w.]+)`", cell))
        others = {name for name in found if name.partition(".")[0] != room}
        assert {name if name in said else name.partition(".")[0] for name in others} == said, room


PRODUCT = ("components", "kube", "manifests", "review", "rollout", "sandbox", "terminal", "topology")
MOST_LINES, MOST_LINES_OF_TESTS = 300, 400
"""What a reader holds in mind; more is split by concept."""


def test_product_modules_are_short():
    modules = {path for room in PRODUCT for path in (ROOT / room).rglob("*.py")} | set(ROOT.glob("*.py"))
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    assert len(lengths) > 300
    assert not {name for name, lines in lengths.items() if lines > MOST_LINES}


def test_test_modules_are_short():
    modules = set((ROOT / "tests").rglob("*.py"))
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    assert len(lengths) > 200
    assert not {name for name, lines in lengths.items() if lines > MOST_LINES_OF_TESTS}
