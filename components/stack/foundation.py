"""What an environment stands on: its namespace, the rule that denies all traffic, and the stack's own secrets."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, field_validator

from components.model.component import PROJECT, Component
from components.model.layers import Layer
from components.model.settings import ComponentSettings
from components.model.values import (
    MOST_IN_ONE_OBJECT,
    ObjectName,
    SecretField,
    said,
)
from components.stack.passphrase import Opened
from components.workloads.network import default_deny
from components.workloads.secret_types import problem_of, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kube.kinds import Manifest

LEVEL = "pod-security.kubernetes.io"
SecretText = Annotated[str, said(bool, "is empty", "seal a value"), AfterValidator(Opened)]


class FoundationSettings(ComponentSettings):
    """Secrets by name, each a map of keys to values (``grayling:secrets``)."""

    secrets: dict[ObjectName, Annotated[dict[SecretField, SecretText], Field(min_length=1)]] = Field(
        default_factory=dict
    )

    @field_validator("secrets")
    @classmethod
    def _fit_into_objects(cls, secrets: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for name, values in secrets.items():
            size = sum(len(key) + len(text.encode()) for key, text in values.items())
            if size > MOST_IN_ONE_OBJECT:
                raise ValueError(
                    f"{name} is {size} bytes together; one Secret takes {MOST_IN_ONE_OBJECT}, make several"
                )
            if problem := problem_of(values):
                raise ValueError(f"{name}: {problem}")
        return secrets


class Foundation(Component[FoundationSettings]):
    """Namespace under the restricted pod security standard, default-deny policy, Secrets."""

    kind = "environment"
    room = "environment"
    layer = Layer.CRDS

    @property
    def place(self) -> str:
        """It is the section of the stack file itself."""
        return f"{PROJECT}:{self.kind}"

    def manifests(self) -> Iterable[Manifest]:
        """Namespace first."""
        if self.environment.create_namespace:
            yield self._namespace()
        yield default_deny(self)
        for name, values in sorted(self.settings.secrets.items()):
            yield self._secret(name, values)

    def _namespace(self) -> Manifest:
        enforced = {member.pod_security for member in self.scope.members.values()} - {"restricted"}
        levels = {f"{LEVEL}/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
        levels[f"{LEVEL}/enforce"] = "privileged" if enforced else "restricted"
        owners = {"grayling.dev/owners": ",".join(self.environment.owners)}
        meta = {"name": self.environment.namespace, "labels": levels, "annotations": owners}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}

    def _secret(self, name: str, values: Mapping[str, str]) -> Manifest:
        data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": type_of(values), "data": data}
