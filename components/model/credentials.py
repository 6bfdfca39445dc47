"""Credentials that only the cluster needs: described by a recipe, made once where they are missing, never overwritten.

A Secret with the annotation ``grayling.dev/generate`` carries no data in a render, only how each key is made. Whoever
creates it (``stack apply`` or the Pulumi program) fills it in; an existing Secret is left as it is, whatever it says.
"""

from __future__ import annotations

import json
import re
import secrets
import string
import uuid
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kinds import Manifest

GENERATE_ANNOTATION = "grayling.dev/generate"
_ALPHABET = string.ascii_letters + string.digits
_SLOT = re.compile(r"\{([a-z][a-z-]*)(?::(\d+))?\}")


def generated_secret(name: str, recipe: Mapping[str, str]) -> Manifest:
    """A Secret made by ``recipe``: key → text; ``{random:32}`` in it is drawn, ``{key}`` repeats an earlier one.

    ``{uuid}`` is a random one; ``{login}`` is ``username`` and ``password`` as HTTP's basic authentication has them.
    """
    meta = {
        "name": name,
        "annotations": {GENERATE_ANNOTATION: json.dumps(dict(recipe), sort_keys=False)},
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque"}


def recipe_of(manifest: Manifest) -> dict[str, str] | None:
    """The recipe on a Secret; None for any other object."""
    if manifest["kind"] != "Secret":
        return None
    noted = (manifest["metadata"].get("annotations") or {}).get(GENERATE_ANNOTATION)
    return dict(json.loads(noted)) if noted else None


def draw(recipe: Mapping[str, str]) -> dict[str, str]:
    """Values by key, drawn from the operating system's randomness; about 5.95 bits a character.

    ``{ca}``, ``{certificate}`` and ``{key}`` are of one certificate, for the hosts that the key ``names`` lists.
    """
    from components.model.signing import self_signed

    made: dict[str, str] = {}
    safety = self_signed(recipe["names"].split(",")) if "{certificate}" in recipe.values() else {}
    for key, text in recipe.items():
        made[key] = _SLOT.sub(lambda slot: _fill(slot, {**made, **safety}), text)
    return made


def _fill(slot: re.Match[str], made: Mapping[str, str]) -> str:
    if slot[1] == "random":
        return "".join(secrets.choice(_ALPHABET) for _ in range(int(slot[2] or 32)))
    if slot[1] == "uuid":
        return str(uuid.uuid4())
    if slot[1] == "login":
        return b64encode(f"{made['username']}:{made['password']}".encode()).decode()
    return made[slot[1]]


def filled(manifest: Manifest, values: Mapping[str, str]) -> Manifest:
    """The Secret with its values."""
    return {**manifest, "data": {key: b64encode(value.encode()).decode() for key, value in values.items()}}
