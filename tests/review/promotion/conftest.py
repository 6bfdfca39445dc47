"""Two environments of one project, a cluster behind the first, and somebody who promotes."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

import grayling
from kube.kinds import GRAY_RELEASE
from rollout.api.revision import image_of, revision_of
from rollout.api.spec import Spec
from rollout.api.status import Outcome, Phase, Release, Status, Version
from rollout.records.record import config_map_of, record_of
from terminal.exits import Session, run
from tests.components.conftest import person, project  # noqa: F401 - fixtures
from tests.components.person import Person, Result

T = 1_800_000_000.0
STAGING = """# staging
config:
  grayling:environment: {tier: staging, namespace: shop, owners: [platform], engine: {namespace: shop}}
  grayling:services:
    checkout:
      image: r.example.com/shop/checkout:2.0.0
      args: [checkout, --fast]
      env:
        LEVEL: debug
        MODE: new
      config:
        app.yaml: |
          workers: 8
      replicas: 2
    billing:
      image: r.example.com/shop/billing:2.0.0
      port: null
    trial:
      image: r.example.com/shop/trial:0.1.0
"""
PROD = """# production: mind the on-call
config:
  grayling:environment: {tier: prod, namespace: integration, owners: [platform], engine: {namespace: integration}}
  grayling:services:
    checkout:
      # asked for by finance
      image: r.example.com/shop/checkout:1.9.0   # by promotion
      args: [checkout]
      env:
        LEVEL: info   # quiet
        MODE: old
      config:
        app.yaml: |
          workers: 4
      replicas: 12
    billing:
      image: r.example.com/shop/billing:1.9.0
      port: null
      replicas: 6
"""
OWN = "own:\n  checkout: [env.LEVEL]\n"


@dataclass
class Promoter:
    """Runs the whole command line inside the project."""

    person: Person

    def __post_init__(self):
        self.staging, self.prod = (
            self.person.stack(name, text) for name, text in (("staging", STAGING), ("prod", PROD))
        )
        self.settings(OWN)

    @property
    def folder(self):
        return self.person.project / ".grayling"

    def settings(self, text):
        self.folder.mkdir(exist_ok=True)
        (self.folder / "promotion.yaml").write_text(text)

    def grayling(self, *arguments) -> Result:
        code = run(grayling.cli, ["stack", *arguments], prog_name="grayling", session=Session())
        said = self.person.capsys.readouterr()
        return Result(int(code), said.out, said.err)

    def promote(self, *more) -> Result:
        return self.grayling("promote", "--from", self.staging, "--to", self.prod, *more)

    def asking(self, *more) -> Result:
        return self.promote("--kubeconfig", self.person.kubeconfig, *more)

    def prod_text(self):
        from pathlib import Path

        return Path(self.prod).read_text()

    def notes(self):
        return [json.loads(path.read_text()) for path in self.folder.glob("promotions/prod/*.json")]


@pytest.fixture
def promoter(person, monkeypatch):  # noqa: F811 - the fixture
    monkeypatch.chdir(person.project)
    return Promoter(person)


def releases(stack):
    from components.deploy.render import render
    from components.stack.stackfile import find

    return {each["metadata"]["name"]: each for each in render(find(stack)) if each["kind"] == GRAY_RELEASE.kind}


def ended(manifest, outcome=Outcome.PROMOTED, at=T, **changes):
    """A release of what the object declares, as the engine would have kept it."""
    name, spec = manifest["metadata"]["name"], Spec.model_validate(manifest["spec"])
    version = Version(revision=revision_of(name, spec), image=image_of(spec))
    fields = {
        "id": f"{name}-{outcome.value if outcome else 'going'}-{at:.0f}",
        "started_at": at,
        "ended_at": at + 600 if outcome else None,
        "from_version": Version(revision=f"{name}-0ld0ld00", image="r.example.com/old:1"),
        "to_version": version,
        "outcome": outcome,
        "outcome_reason": "told by the judge",
        "proven": outcome is Outcome.PROMOTED,
        **changes,
    }
    return Release(**fields)


def record(manifest, release):
    meta = manifest["metadata"]
    return record_of(meta["name"], meta["namespace"], Spec.model_validate(manifest["spec"]), release)


def settle(server, manifest, *past, stable=None, phase=Phase.IDLE):
    """A service on the cluster with these releases behind it, the newest last."""
    going = None if phase is Phase.IDLE else ended(manifest, None, T + 5_000)
    status = Status(phase=phase, stable=stable or past[-1].to_version, last=past[-1], release=going)
    server.put({**manifest, "status": status.wire()})
    for each in past:
        server.put(config_map_of(record(manifest, each), {}))
