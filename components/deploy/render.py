"""A stack as plain manifests, without a cluster and without the Pulumi engine: what `pulumi up` would create.

Where the project's ``__main__.py`` is the one Grayling comes with, the components are asked here and now. A program
that declares more runs in a process of its own under :mod:`components.deploy.offline_run`. One test per stack: both
agree.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml

from components.model.layers import ordered
from components.model.mistakes import Mistake, StackError
from components.stack.json_text import value_of
from components.stack.passphrase import without_opened
from components.stack.platform import Platform
from components.stack.project import PROJECT_FILE
from components.stack.sections import sections_of
from kube.errors import GraylingError, UsageError
from kube.kinds import label_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from components.stack.stackfile import StackFile
    from kube.kinds import Manifest

PROGRAM = "__main__.py"
OUR_PROGRAM = "15a3f2138e1fa9a13422a7cb687dd116ab671b40162547a545a8f21169b62dba"


def render(file: StackFile) -> list[Manifest]:
    """Every object of the stack, in the order in which they are applied; the same for the same file.

    Raises:
        UsageError: the stack file is wrong; every mistake in it is named.
        GraylingError: the program failed for another reason.
    """
    program = file.project / PROGRAM
    made = declared(file) if is_ours(program) else recorded(file, program)
    found = [normal(manifest) for manifest in made]
    return ordered(file.overlay.lowered(found) if file.overlay else found)


def is_ours(program: Path) -> bool:
    """Whether a program does exactly what Grayling's own does: the same code, whatever its comments and layout.

    Raises:
        UsageError: the program cannot be read.
    """
    try:
        code = ast.parse(program.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{program}: {error.strerror}; a project has the Pulumi program beside {PROJECT_FILE}"
        ) from error
    except (SyntaxError, ValueError):
        return False
    if ast.get_docstring(code) is not None:
        del code.body[0]
    return sha256(ast.unparse(code).encode()).hexdigest() == OUR_PROGRAM


def declared(file: StackFile) -> list[Manifest]:
    """The objects of Grayling's own program, in this process.

    Raises:
        UsageError: the stack file is wrong; every mistake in it is named.
    """
    config, _ = file.config()
    sections = {key: value_of(value) for key, value in sections_of(config).items()}
    with file.placing():
        return Platform.read(sections, stack=file.stack, source=file.source, project=file.project).manifests()


_FIRST = {"apiVersion": 0, "kind": 1, "metadata": 2, "name": 3, "namespace": 4}


def normal(value: Any) -> Any:
    """The one form of an object, whichever way it came: protobuf has no integers, and hands maps over in any order.

    Keys come in one order, names first; keys without a value are left out; whole numbers are integers.
    """
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (_FIRST.get(key, len(_FIRST)), key))
        return {key: normal(value[key]) for key in keys if value[key] is not None}
    if isinstance(value, list | tuple):
        return [normal(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def recorded(file: StackFile, program: Path) -> list[Manifest]:
    """The objects that a program declares, run in a process of its own.

    Raises:
        UsageError: the stack file is wrong; every mistake in it is named.
        GraylingError: the program failed for another reason.
    """
    config, secret_keys = file.config()
    request = {"program": str(program), "stack": file.stack, "config": config, "secret_keys": secret_keys}
    done = subprocess.run(
        [sys.executable, "-m", "components.deploy.offline_run"],
        input=json.dumps(request, default=str),
        capture_output=True,
        text=True,
        cwd=file.project,
        check=False,
    )
    if done.returncode != 0:
        said = without_opened(done.stderr, config).strip()[-2000:]
        raise GraylingError(f"{file.source}: the program failed:\n{said}")
    answer = json.loads(done.stdout)
    if "mistakes" in answer:
        with file.placing():
            raise StackError(file.source, [Mistake(*each[:4]) for each in answer["mistakes"]])
    if "error" in answer:
        raise UsageError(without_opened(answer["error"], config))
    return list(answer["manifests"])


if TYPE_CHECKING or not yaml.__with_libyaml__:
    from yaml import SafeDumper
else:
    from yaml import CSafeDumper as SafeDumper


class _Dumper(SafeDumper):
    """Multi-line texts as blocks, so that a configuration file in a ConfigMap can be read in a diff."""


def _text(dumper: SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]


def as_yaml(manifests: Iterable[Manifest]) -> str:
    """One YAML stream."""
    return "---\n".join(
        yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True) for item in manifests
    )


def as_json(manifests: Iterable[Manifest]) -> str:
    """One JSON array."""
    return json.dumps(list(manifests), indent=2) + "\n"


def without_values(manifests: Iterable[Manifest]) -> tuple[list[Manifest], list[str]]:
    """The objects without Secrets that hold values, and the names of those left out."""
    kept: list[Manifest] = []
    left: list[str] = []
    for item in manifests:
        if item["kind"] == "Secret" and (item.get("data") or item.get("stringData")):
            left.append(label_of(item))
        else:
            kept.append(item)
    return kept, left
