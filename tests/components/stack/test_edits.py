"""An edit of an image changes one value and not another byte, or says why it does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from components.stack.nodes import plain
from components.stack.reading import parse
from components.stack.versions import set_image
from kube.errors import UsageError
from tests.components.stack.edits import HEAD, NEW, OLD

if TYPE_CHECKING:
    from pathlib import Path


def image_set(project: Path, text: str, image: str = NEW) -> str:
    """The file after ``checkout`` got another image."""
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_bytes(text.encode())
    set_image(path, "checkout", image)
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    "before",
    [
        f"{HEAD}    checkout:\n      image: {OLD}\n",
        f"{HEAD}    checkout:\n      image: {OLD}",
        f"{HEAD}    checkout:\n      image:   {OLD}   # was {OLD[:-1]}9\n      port: 80\n",
        f"{HEAD}    checkout:\n      image: '{OLD}'\n",
        f'{HEAD}    checkout:\n      image: "{OLD}"\n',
        f"{HEAD}    checkout:\n      image: >-\n        {OLD}\n      port: 80\n",
        f"{HEAD}    checkout:\n      image: |-\n        {OLD}\n\n\n      port: 80\n",
        f"{HEAD}    checkout: {{port: 80, image: {OLD}, args: [{OLD}]}}\n",
        f"{HEAD}    checkout: {{image: {OLD}}}\n",
        f"{HEAD}    checkout:\n      image: &v {OLD}\n",
        f"{HEAD}    checkout:\n      image: !!str {OLD}\n",
        f"{HEAD}    checkout:\n      image:\n        # here\n        {OLD}\n",
        f"{HEAD}    checkout:\n      ? image\n      : {OLD}\n",
        f'{HEAD}    checkout:\n      "image": {OLD}\n',
        f"{HEAD}    base: &b {{port: 80}}\n    checkout:\n      <<: *b\n      image: {OLD}\n",
        f"{HEAD}    a: {{image: {OLD}}}\n    checkout: {{image: {OLD}}}\n    b: {{image: {OLD}}}\n",
        f"\ufeff{HEAD}    checkout:\n      image: {OLD}\n",
        f"# grüße\n{HEAD}    checkout:\n      image: {OLD}\n",
        f"config:\n  services:\n    checkout:\n      image: {OLD}\n",
        f"--- # one\n{HEAD}    checkout:\n      image: {OLD}\n...\n",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_image_alone_changes(project, before, newline):
    before = before.replace("\n", newline)
    after = image_set(project, before)
    where = [found.start() for found in re.finditer(re.escape(OLD), before)]
    assert after in [before[:at] + NEW + before[at + len(OLD) :] for at in where]
    services = next(iter(plain(parse(after.encode(), "f").root)["config"].values()))
    assert services["checkout"]["image"] == NEW


def test_an_escaped_image_is_written_anew(project):
    before = f'{HEAD}    checkout:\n      image: "r.example.com/a:1.\\x30" # old\n'
    assert image_set(project, before) == f'{HEAD}    checkout:\n      image: "{NEW}" # old\n'


def test_an_image_that_is_a_number_is_text_afterwards(project):
    assert image_set(project, f"{HEAD}    checkout:\n      image: 5\n") == f"{HEAD}    checkout:\n      image: {NEW}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"{HEAD}    checkout:\n      image: &v {OLD}\n    billing:\n      image: *v\n",
            "4: grayling:services.checkout.image: is shared with line 6 by its anchor; write it out there",
        ),
        (
            f"{HEAD}    billing:\n      image: &v {OLD}\n    checkout:\n      image: *v\n",
            "6: grayling:services.checkout.image: is an alias, which others share; write the value out",
        ),
        (
            f"{HEAD}    base: &b {{image: {OLD}}}\n    checkout:\n      <<: *b\n      port: 80\n",
            "5: grayling:services.checkout.image: comes through <<, which others share; write it out",
        ),
        (
            f"{HEAD}    checkout: &c\n      image: {OLD}\n    billing: *c\n",
            "3: grayling:services.checkout: is shared with line 5 by its anchor",
        ),
        (
            f"{HEAD}    checkout: &c\n      image: {OLD}\n    billing:\n      <<: *c\n",
            "3: grayling:services.checkout: is shared with line 6 by its anchor",
        ),
        (
            f"{HEAD}    billing: &c\n      image: {OLD}\n    checkout: *c\n",
            "5: grayling:services.checkout: is an alias",
        ),
        (
            f"{HEAD}    checkout:\n      image: {OLD}\n      image: {OLD}\n",
            "5: grayling:services.checkout.image: is given twice, in lines 4 and 5; keep one",
        ),
        (
            f"{HEAD}    checkout:\n      image: >-\n        r.example.com/a\n        :1\n",
            "4: grayling:services.checkout.image: cannot be changed where it stands; write it on one line",
        ),
        (f"{HEAD}    checkout:\n      image: [a]\n", "is no single value; change it by hand"),
        (f"{HEAD}    checkout:\n      port: 80\n", "3: grayling:services.checkout.image: is required; add it"),
        (f"{HEAD}    checkout:\n", "3: grayling:services.checkout.image: is required; add it"),
        (f"x: &i {OLD}\n{HEAD}    checkout:\n      image: *i\n", "1: x: no such key beside config"),
        (f"{HEAD}    checkout: {{image: {OLD}}}\n    on: {{image: {OLD}}}\n", "4: grayling:services.on: the key on is"),
    ],
)
def test_what_is_refused_stays_as_it_was(project, text, expected):
    with pytest.raises(UsageError) as caught:
        image_set(project, text)
    assert str(caught.value).startswith(f"{project}/stacks/Pulumi.t.yaml:{expected}") or expected in str(caught.value)
    assert (project / "stacks" / "Pulumi.t.yaml").read_text() == text
