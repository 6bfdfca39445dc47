"""The definition of Topologies is what the models say, and tells what a person wants to see first."""

import yaml

from manifests.render import HERE
from topology.api.crd import rendered, topology_definition


def test_the_committed_file_is_what_the_models_say():
    assert (HERE / "crds" / "topologies.yaml").read_text() == rendered(), "run: make generate"
    assert yaml.safe_load(rendered()) == topology_definition()


def test_items_of_any_system_are_taken_as_they_are():
    (version,) = topology_definition()["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert spec["items"]["items"]["properties"]["settings"]["x-kubernetes-preserve-unknown-fields"] is True
    assert "enum" not in spec["system"]
    assert version["subresources"] == {"status": {}}
