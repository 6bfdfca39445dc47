"""What a stack makes of a value, and the lines that are said of one that is none."""

from __future__ import annotations

import re

import pytest

from components.model.mistakes import StackError
from tests.components.conftest import read

IMAGE = "a/b:1"
LINE = re.compile(r"grayling:[^ ].*: \S.*")


def said(**sections) -> list[str]:
    """The lines that are said of a stack."""
    with pytest.raises(StackError) as caught:
        read(**sections).manifests()
    lines = [str(mistake) for mistake in caught.value.mistakes]
    for line in lines:
        assert line in str(caught.value)
        assert LINE.fullmatch(line), line
    return lines


def service(**settings):
    return {"services": {"a": {"image": IMAGE, **settings}}}


def of(platform, kind, name):
    return next(item for item in platform.manifests() if (item["kind"], item["metadata"]["name"]) == (kind, name))


def pod(platform, name="a"):
    return of(platform, "GrayRelease", name)["spec"]["workload"]["template"]["spec"]
