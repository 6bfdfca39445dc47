"""The contracts of a service in the cluster: its documents in a ConfigMap, and on each release which ones it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.workloads.baseline import config_map

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.model.component import Component
    from components.releases.service_settings import ServiceSettings
    from kube.kinds import Manifest

CONTRACT_LABEL = "grayling.dev/contract"
PROVIDES, CONSUMES = "grayling.dev/provides", "grayling.dev/consumes"


def promised(of: Component[ServiceSettings]) -> Iterable[Manifest]:
    """The documents that it provides, where a review and people find them."""
    files = {_key(name): of.scope.files[name] for name in of.settings.contract.provides if name in of.scope.files}
    if files:
        made = config_map(of, f"{of.name}-contracts", files)
        made["metadata"]["labels"] = {**made["metadata"]["labels"], CONTRACT_LABEL: "provides"}
        yield made


def noted(of: Component[ServiceSettings]) -> dict[str, str]:
    """Annotations of a release: the digest of each document it keeps, and of each part of others' it was built for."""
    own, digests = of.settings.contract, of.scope.digests
    provides = [f"{name}@{digests[name]}" for name in own.provides if name in digests]
    consumes = [f"{each.provider}:{each.file}@{digests[each.file]}" for each in own.consumes if each.file in digests]
    return {key: ",".join(found) for key, found in ((PROVIDES, provides), (CONSUMES, consumes)) if found}


def _key(name: str) -> str:
    """As a ConfigMap takes it: no slashes."""
    return name.replace("/", "..")
