"""Which image really runs: exact names only, and one map from upstream names to a mirror or a sandbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(
    r"^(?P<name>(?:[^@\s:/]+(?::\d+)?/)*[^@\s:/]+)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
_MOVING = {"latest", "stable", "main", "master", "edge", "nightly"}


def split(image: str) -> tuple[str, str, str]:
    """``(name, tag, digest)``; the last two are empty where the reference has none.

    Raises:
        ValueError: it is no image reference.
    """
    found = _REFERENCE.match(image)
    if found is None or "/" in (found["tag"] or ""):
        raise ValueError(f"{image!r} is no image reference: write it like registry.example/team/app:1.4.2")
    return found["name"], found["tag"] or "", found["digest"] or ""


def exact(image: str) -> str:
    """The reference itself, if it names one build.

    Raises:
        ValueError: it has neither an exact tag nor a digest.
    """
    name, tag, digest = split(image)
    if not digest and (not tag or tag in _MOVING):
        said = f"tag {tag!r} moves" if tag else "it has no tag"
        raise ValueError(f"{image!r} does not name one build ({said}): give an exact tag or a digest, {name}:1.2.3")
    return image


def resolve(image: str, mirrors: Mapping[str, str]) -> str:
    """``image`` as the environment pulls it: the longest key of ``mirrors`` that fits decides.

    A key is a whole reference, a repository, or a prefix that ends in ``/``. A target with a tag of its own replaces
    tag and digest; one without keeps them.

    >>> resolve("docker.io/library/redis:7.2.4", {"docker.io/": "mirror.example/"})
    'mirror.example/library/redis:7.2.4'
    """
    name, tag, digest = split(image)
    if image in mirrors:
        return mirrors[image]
    suffix = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    for key in sorted(mirrors, key=len, reverse=True):
        if key == name:
            target = mirrors[key]
            return target if any(split(target)[1:]) else target + suffix
        if key.endswith("/") and name.startswith(key):
            return mirrors[key] + name.removeprefix(key) + suffix
    return image


def version(image: str) -> str:
    """What the ``app.kubernetes.io/version`` label says: the tag, or the first digits of the digest."""
    _, tag, digest = split(image)
    return (tag or digest.removeprefix("sha256:")[:12])[:63].strip("-_.")
