"""Which image really runs: exact names only, and one map from upstream names to a mirror or a sandbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])"
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_LONGEST = 500
_DEFAULT_REGISTRY = "docker.io"
_DOCKERS = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_MOVING = {"latest", "stable", "main", "master", "edge", "nightly"}


def split(image: str) -> tuple[str, str, str]:
    """``(name, tag, digest)``; the last two are empty where the reference has none.

    Raises:
        ValueError: it is no image reference.
    """
    found = _REFERENCE.fullmatch(image) if len(image) <= _LONGEST else None
    if found is None:
        raise ValueError("is no image reference; write it like registry.example/team/app:1.4.2")
    return found["name"], found["tag"] or "", found["digest"] or ""


def exact(image: str) -> str:
    """The reference itself, if it names one build.

    Raises:
        ValueError: it has neither an exact tag nor a digest.
    """
    name, tag, digest = split(image)
    if not digest and (not tag or tag in _MOVING):
        said = f"tag {tag!r} moves" if tag else "it has no tag"
        raise ValueError(f"does not name one build ({said}); give an exact tag or a digest, {name}:1.2.3")
    return image


def resolve(image: str, mirrors: Mapping[str, str]) -> str:
    """``image`` as the environment pulls it: the longest key of ``mirrors`` that fits decides.

    A key is a whole reference, a repository, or a prefix that ends in ``/``. A target with a tag of its own replaces
    tag and digest; one without keeps them. Short names, in the map too, are those of Docker's registry.

    >>> resolve("redis:7.2.4", {"docker.io/": "mirror.example/"})
    'mirror.example/library/redis:7.2.4'
    """
    name, tag, digest = split(image)
    name = canonical(name)
    suffix = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    known = {key if key.endswith("/") else canonical(key): target for key, target in mirrors.items()}
    if name + suffix in known:
        return known[name + suffix]
    for key in sorted(known, key=len, reverse=True):
        if key == name:
            target = known[key]
            return target if any(split(target)[1:]) else target + suffix
        if key.endswith("/") and name.startswith(key):
            return known[key] + name.removeprefix(key) + suffix
    return image


def canonical(name: str) -> str:
    """A name with its registry: what has none is Docker's, where images without an owner are in ``library/``.

    >>> canonical("redis"), canonical("team/app"), canonical("localhost:5000/app")
    ('docker.io/library/redis', 'docker.io/team/app', 'localhost:5000/app')
    """
    first, slash, rest = name.partition("/")
    if first in _DOCKERS:
        return f"{_DEFAULT_REGISTRY}/{rest if '/' in rest else f'library/{rest}'}"
    if slash and (first == "localhost" or any(mark in first for mark in ".:[") or first.lower() != first):
        return name
    return f"{_DEFAULT_REGISTRY}/{name}" if slash else f"{_DEFAULT_REGISTRY}/library/{name}"


def version(image: str) -> str:
    """What the ``app.kubernetes.io/version`` label says: the tag, or the first digits of the digest."""
    _, tag, digest = split(image)
    return (tag or digest.removeprefix("sha256:")[:12])[:63].strip("-_.")
