"""A stack as plain manifests, without a cluster and without the Pulumi engine: what `pulumi up` would create.

The same ``__main__.py`` runs in a process of its own under :mod:`components.recorder`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from components.layers import ordered
from kube.errors import GraylingError, UsageError
from kube.kinds import label_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.stackfile import StackFile
    from kube.kinds import Manifest


def render(file: StackFile) -> list[Manifest]:
    """Every object of the stack, in the order in which they are applied; the same for the same file.

    Raises:
        UsageError: the stack file is wrong; every mistake in it is named.
        GraylingError: the program failed for another reason.
    """
    config, secret_keys = file.config()
    request = {
        "program": str(file.project / "__main__.py"),
        "stack": file.stack,
        "config": config,
        "secret_keys": secret_keys,
    }
    return ordered(arranged(manifest) for manifest in _recorded(request, file))


_FIRST = {"apiVersion": 0, "kind": 1, "metadata": 2, "name": 3, "namespace": 4}


def arranged(value: Any) -> Any:
    """Keys in one order, names first: protobuf hands maps over in any."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (_FIRST.get(key, len(_FIRST)), key))
        return {key: arranged(value[key]) for key in keys}
    return [arranged(inner) for inner in value] if isinstance(value, list) else value


def _recorded(request: dict[str, Any], file: StackFile) -> list[Manifest]:
    done = subprocess.run(
        [sys.executable, "-m", "components.recorder"],
        input=json.dumps(request, default=str),
        capture_output=True,
        text=True,
        cwd=file.project,
        check=False,
    )
    if done.returncode != 0:
        raise GraylingError(f"{file.source}: the program failed:\n{done.stderr.strip()[-2000:]}")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise UsageError(answer["error"])
    return list(answer["manifests"])


class _Dumper(yaml.SafeDumper):
    """Multi-line texts as blocks, so that a configuration file in a ConfigMap can be read in a diff."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]


def as_yaml(manifests: Iterable[Manifest]) -> str:
    """One YAML stream."""
    return "---\n".join(yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=120) for item in manifests)


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
