"""What the tests of reviewing share: a project, and a person with a cluster behind a real kubeconfig."""

from __future__ import annotations

from tests.components.conftest import person, project

__all__ = ["person", "project"]
