"""Stacks whose manuals the tests read: those of this repository, the examples of every kind, and one drawn by hand."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import yaml

from components.manual.subject import Subject
from components.stack.stackfile import find
from tests.components.conftest import ROOT
from tests.components.kind_examples import TIERS, path_of

if TYPE_CHECKING:
    from pathlib import Path

TODAY = dt.date(2026, 3, 1)


def project_in(folder: Path) -> Path:
    """An empty project, with the runbooks of this repository where they would be."""
    (folder / "stacks").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: grayling\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "__main__.py").write_text((ROOT / "__main__.py").read_text())
    return folder


def written(project: Path, name: str, sections: dict) -> Path:
    """A stack file of the project."""
    path = project / "stacks" / f"Pulumi.{name}.yaml"
    path.write_text(yaml.safe_dump({"config": {f"grayling:{key}": value for key, value in sections.items()}}))
    return path


def subject_of(project: Path, name: str, sections: dict) -> Subject:
    """The subject of a stack that is declared like this."""
    written(project, name, sections)
    return Subject.of(find(name, project), project, TODAY)


def example(project: Path, kind: str, size: str) -> Subject:
    """The example of a kind, as a stack."""
    sections = yaml.safe_load(path_of(kind, size).read_text())
    own = {"tier": TIERS[size], "namespace": f"kind-{kind}", "owners": ["platform"], **sections.pop("environment", {})}
    return subject_of(project, f"{kind}-{size}", {"environment": own, **sections})


def ours(name: str) -> Subject:
    """A stack of this repository."""
    return Subject.of(find(name, ROOT), ROOT, TODAY)


def environment(**more) -> dict:
    return {"tier": "local", "namespace": "shop", "owners": ["platform", "shop"], **more}


IMAGE = "registry.example.com/team/app:1.0.0"

SHOP = {
    "environment": environment(),
    "components": {
        "controller": {"image": "registry.example.com/platform/grayling:1.0.0"},
        "gateway": {},
        "kafka": {},
        "rabbitmq": {"topology": {"queues": {"billing": {}}}},
        "topology": {"image": "registry.example.com/platform/grayling:1.0.0"},
        "redis": {"storage": None},
        "mqtt": {"topics": {"sensors": {"read": ["commands/+"], "write": ["plant/#"]}}},
        "prometheus": {},
        "erp": {
            "kind": "external",
            "system": "erp",
            "url": "https://erp.example.com/api",
            "owner": "sap-team",
            "contact": "sap@example.com",
            "health": None,
            "credentials": {"secret": "erp-login"},
        },
        "adapter": {
            "kind": "camel",
            "image": "registry.example.com/platform/camel:4.17.0",
            "uses": ["kafka", "rabbitmq", "erp"],
            "deadLetters": {"to": "kafka:orders.dead"},
            "routes": {
                "orders": [
                    {
                        "route": {
                            "id": "orders",
                            "from": {
                                "uri": "kafka:orders",
                                "steps": [
                                    {
                                        "to": "spring-rabbitmq:default?queues=billing&routingKey=billing"
                                        "&arg.queue.durable=true&exchangePattern=InOnly"
                                    }
                                ],
                            },
                        }
                    }
                ]
            },
        },
    },
    "services": {
        "checkout": {"image": IMAGE, "uses": ["redis", "kafka"], "traffic": {}, "replicas": 2},
        "sensors": {"image": IMAGE, "port": None, "uses": ["mqtt"]},
        "billing": {"image": IMAGE, "port": None, "uses": ["rabbitmq"]},
    },
}
