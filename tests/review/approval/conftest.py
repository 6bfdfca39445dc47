"""What the tests of approvals share: a team at one project."""

from __future__ import annotations

import pytest

from tests.components.conftest import person, project
from tests.review.approval.team import Team

__all__ = ["person", "project"]


@pytest.fixture
def team(person, tmp_path, monkeypatch) -> Team:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("GRAYLING_BASE", "GITHUB_BASE_REF", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "CI_COMMIT_BEFORE_SHA"):
        monkeypatch.delenv(name, raising=False)
    made = Team(person, keys)
    made.begin()
    return made
