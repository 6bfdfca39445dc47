"""Image references: exact ones only, and the map to what an environment has."""

from __future__ import annotations

import pytest

from components.model.images import (
    exact,
    resolve,
    split,
    version,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("redis:7.2", ("redis", "7.2", "")),
        ("host:5000/team/app:1", ("host:5000/team/app", "1", "")),
        ("host:5000/team/app", ("host:5000/team/app", "", "")),
        (f"a/b@{DIGEST}", ("a/b", "", DIGEST)),
        (f"a/b:1@{DIGEST}", ("a/b", "1", DIGEST)),
    ],
)
def test_split(image, parts):
    assert split(image) == parts


@pytest.mark.parametrize("image", ["", "a b:1", "a/b:", "a/b@sha256:12"])
def test_no_reference(image):
    with pytest.raises(ValueError, match="is no image reference"):
        split(image)


def test_a_digest_needs_no_tag():
    assert exact(f"a/b@{DIGEST}")


def test_the_longest_key_of_the_map_decides():
    mirrors = {
        "docker.io/": "mirror/",
        "docker.io/library/": "library/",
        "docker.io/library/redis": "own/redis:7",
        "docker.io/library/redis:8": "own/eight:1",
        "quay.io/x": "here/x",
    }
    assert resolve("docker.io/a/b:1", mirrors) == "mirror/a/b:1"
    assert resolve("docker.io/library/c:2", mirrors) == "library/c:2"
    assert resolve("docker.io/library/redis:6", mirrors) == "own/redis:7"
    assert resolve("docker.io/library/redis:8", mirrors) == "own/eight:1"
    assert resolve(f"quay.io/x@{DIGEST}", mirrors) == f"here/x@{DIGEST}"
    assert resolve("ghcr.io/y:1", mirrors) == "ghcr.io/y:1"


@pytest.mark.parametrize("image", ["redis:7", "docker.io/redis:7", "index.docker.io/redis:7", "library/redis:7"])
@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("docker.io/", "m/library/redis:7"),
        *((key, "m/r:7") for key in ("redis", "docker.io/redis", "index.docker.io/redis")),
    ],
)
def test_every_name_of_an_image_finds_its_mirror(image, key, target):
    mirrors = {key: "m/" if key.endswith("/") else "m/r"}
    assert resolve(image, mirrors) == target


def test_version_is_a_label():
    assert version("a/b:1.2-rc.1") == "1.2-rc.1"
    assert version(f"a/b@{DIGEST}") == "a" * 12
