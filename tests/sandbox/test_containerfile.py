"""The image for clusters elsewhere is the one that the sandbox runs: what is tested there is what is shipped."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox import catalogue, pypi
from sandbox.archive import Layer
from sandbox.layers import tree
from sandbox.workshop import ENGINE_PARTS, ENGINE_TARGET

ROOT = Path(__file__).parents[2]
EMPTY = Layer(Path("/nowhere"), "sha256:0", 0)


@dataclass
class Stage:
    """One `FROM` with what follows it; words as they stand there."""

    base: str
    name: str = ""
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [rest for each, rest in self.steps if each == word]

    def one(self, word: str) -> str:
        [found] = self.all(word)
        return found


def stages(text: str) -> tuple[list[tuple[str, str]], list[Stage]]:
    """What stands before the first stage, and the stages."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    steps = [tuple(line.split(None, 1)) for line in re.sub(r"\\\n\s*", " ", lines).splitlines() if line.strip()]
    before: list[tuple[str, str]] = []
    found: list[Stage] = []
    for word, rest in steps:
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name))
        else:
            (found[-1].steps if found else before).append((word, rest))
    return before, found


@pytest.fixture(scope="module")
def containerfile() -> tuple[list[tuple[str, str]], list[Stage]]:
    return stages((ROOT / "Containerfile").read_text())


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    """How the sandbox's own image of the engine is started."""
    image = catalogue.engine_image(EMPTY, EMPTY, EMPTY)
    config: dict[str, Any] = json.loads(image.config())["config"]
    return config


def test_it_is_started_as_the_sandbox_starts_it(containerfile, recipe) -> None:
    _, (_, final) = containerfile
    assert json.loads(final.one("ENTRYPOINT")) == recipe["Entrypoint"]
    assert json.loads(final.one("CMD")) == []
    assert final.one("USER") == recipe["User"]
    assert final.one("WORKDIR") == recipe["WorkingDir"]
    assert sorted(final.one("ENV").split()) == sorted(recipe["Env"])


def test_its_user_is_a_number_and_not_root(containerfile) -> None:
    _, (_, final) = containerfile
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final.one("USER"))
    assert [word for word, _ in final.steps].index("USER") > [word for word, _ in final.steps].index("COPY")


def sent() -> list[str]:
    """Files of the project that a builder gets, by the rules of `.dockerignore`: the last that fits decides."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    def is_sent(name: str) -> bool:
        kept = True
        for rule in rules:
            pattern = rule.removeprefix("!")
            if fnmatch.fnmatch(name, pattern) or name.startswith(f"{pattern}/"):
                kept = rule.startswith("!")
        return kept

    return [name for name in files if is_sent(name)]


def test_it_has_the_files_that_the_sandboxs_has(containerfile) -> None:
    _, (packages, final) = containerfile
    copies = [tuple(each.split()) for each in packages.all("COPY")]
    assert final.all("COPY") == ["--from=packages /opt /opt"]
    assert [source for source, _ in copies] == ["requirements-engine.lock", *ENGINE_PARTS]
    made = set()
    for source, target in copies[1:]:
        assert target == f"/{ENGINE_TARGET}/{source}"
        made |= {f"{ENGINE_TARGET}/{name}" for name in sent() if name == source or name.startswith(f"{source}/")}
    wanted = {entry.target for part in ENGINE_PARTS for entry in tree(ROOT / part, ENGINE_TARGET)}
    tracked = {name for name in wanted if "__pycache__" not in name}
    assert made == tracked
    assert {name.partition("/")[0] for name in sent()} == {"requirements-engine.lock", *ENGINE_PARTS}


def test_its_packages_are_held_by_hashes_and_put_where_the_sandbox_has_them(containerfile) -> None:
    _, (packages, _) = containerfile
    install, compiled = (json.loads(each) for each in packages.all("RUN"))
    assert {"--require-hashes", "--only-binary", f"/{pypi.SITE_PACKAGES}"} <= set(install)
    assert install[-2:] == ["-r", packages.all("COPY")[0].split()[1]]
    assert "unchecked-hash" in compiled


def pins(lock: str) -> dict[str, str]:
    """Packages of a lock, each with its version, its condition and its hashes."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    return {line.partition("==")[0]: line for line in text.splitlines() if line.strip()}


def test_its_lock_is_the_sandboxs_without_what_the_sample_shop_needs() -> None:
    engine, sandbox, plugin = (pins(f"requirements{name}.lock") for name in ("-engine", "", "-plugin"))
    assert engine.items() <= sandbox.items()
    assert engine.keys() - plugin.keys() == {"kafka-python"}, "nobody reconciles from a plugin"
    assert {name: each for name, each in engine.items() if name in plugin}.items() <= plugin.items()
    assert {"numpy", "aiohttp", "kubernetes"} <= engine.keys()
    assert not {"redis", "aio-pika", "pulumi", "cryptography"} & engine.keys()
    assert all("--hash=sha256:" in line for line in engine.values())


def test_a_base_that_lacks_a_library_of_the_engine_fails_when_it_is_built(containerfile) -> None:
    _, (_, final) = containerfile
    [program] = [json.loads(each) for each in final.all("RUN")]
    done = subprocess.run([sys.executable, *program[1:]], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = f"{program[-1]}; import sys; print('numpy' in sys.modules, 're2' in sys.modules, 'pulumi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True", "False"]


def test_the_base_is_whoever_builds_its_and_both_stages_stand_on_it(containerfile) -> None:
    before, found = containerfile
    assert before == [("ARG", "BASE")]
    assert {stage.base for stage in found} == {"${BASE}"}


def test_it_says_what_it_is(containerfile) -> None:
    _, (_, final) = containerfile
    label = final.one("LABEL")
    for name in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in label
