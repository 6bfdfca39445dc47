"""What one look takes from the object itself."""

from __future__ import annotations

import pytest

from rollout.decide.observation import Observation, ShareFacts
from rollout.engine.observe import observation_of
from tests.rollout import samples

SIGNED = {"grayling.dev/requested-by": "ann", "grayling.dev/reason": "faster"}


def look(revision, **notes):
    manifest = samples.manifest(annotations={**SIGNED, **notes})
    rest = {name: None for name in Observation.__dataclass_fields__ if name not in KNOWN}
    return observation_of(manifest, revision=revision, image="x:1", revisions={}, share=ShareFacts(), **rest)


KNOWN = {
    "desired_revision", "desired_image", "generation", "revisions", "share", "command", "requested_by", "reason",
    "deleted", "selector",
}  # fmt: skip


@pytest.mark.parametrize(
    ("noted", "told"),
    [
        ({}, ("ann", "faster")),
        ({"grayling.dev/requested-revision": "checkout-a"}, ("ann", "faster")),
        ({"grayling.dev/requested-revision": "checkout-b"}, ("", "")),
    ],
    ids=["of any version", "of this version", "of another version"],
)
def test_who_asked_is_told_of_the_version_that_was_asked_for(noted, told):
    found = look("checkout-a", **noted)
    assert (found.requested_by, found.reason) == told
