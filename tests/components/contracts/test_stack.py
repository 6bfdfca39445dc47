"""Contracts in a stack file: kept on releases, and refused where a consumer needs what is not there."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

import grayling
from components.model.mistakes import StackError
from components.stack.platform import Platform
from terminal import exits as cli
from tests.components.conftest import small
from tests.components.contracts.cases import GONE, OPENAPI, changed
from tests.components.contracts.test_breaking import PART
from tests.components.contracts.test_reading import WORDS
from tests.components.model.values import IMAGE

ORDERS = {"image": IMAGE, "contract": {"provides": ["contracts/orders.yaml"]}}
BILLING = {"image": IMAGE, "contract": {"consumes": [{"service": "orders", "file": "contracts/needs.yaml"}]}}
SERVICES = {"orders": ORDERS, "billing": BILLING}
NO_ID = changed(OPENAPI, ("components", "schemas", "Order", "allOf", 1, "properties", "id"), GONE)


def main(arguments):
    return cli.run(grayling.cli, arguments, prog_name="grayling", session=cli.Session(stack=grayling.Stacks()))


@pytest.fixture
def home(project):
    (project / "contracts").mkdir()
    (project / "contracts" / "orders.yaml").write_text(OPENAPI)
    (project / "contracts" / "needs.yaml").write_text(PART)
    write(project, SERVICES)
    return project


def write(project, services, **sections):
    sections = small(components={"controller": {"image": IMAGE}}, services=services, **sections)
    config = {f"grayling:{name}": section for name, section in sections.items()}
    (project / "stacks" / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}))


def read(project, services):
    return Platform.read(small(services=services), stack="dev", source="stacks/Pulumi.dev.yaml", project=project)


def told(project, services):
    with pytest.raises(StackError) as error:
        read(project, services)
    return str(error.value)


def test_a_release_says_which_contracts_it_keeps_and_the_cluster_has_them(home):
    made = {(each["kind"], each["metadata"]["name"]): each for each in read(home, SERVICES).manifests()}
    kept = made["ConfigMap", "orders-contracts"]
    assert kept["data"] == {"contracts..orders.yaml": OPENAPI}
    assert kept["metadata"]["labels"]["grayling.dev/contract"] == "provides"
    notes = made["GrayRelease", "orders"]["metadata"]["annotations"]
    assert notes["grayling.dev/provides"].startswith("contracts/orders.yaml@")
    uses = made["GrayRelease", "billing"]["metadata"]["annotations"]["grayling.dev/consumes"]
    assert uses.startswith("orders:contracts/needs.yaml@")
    assert ("ConfigMap", "billing-contracts") not in made


def test_a_consumer_that_needs_more_than_is_offered_is_refused(home):
    (home / "contracts" / "orders.yaml").write_text(yaml.safe_dump(NO_ID))
    said = told(home, SERVICES)
    assert "grayling:services.billing.contract.consumes.0.file" in said
    assert "orders does not offer what billing was built for: GET /orders response 200 [].id" in said
    assert "response-property-removed" in said
    assert "change the provider's document back" in said


def test_an_external_system_is_held_to_its_contract_too(home):
    erp = {"kind": "external", "url": "https://erp.example.com", "owner": "sap", "contract": "contracts/orders.yaml"}
    uses = {"image": IMAGE, "contract": {"consumes": [{"external": "erp", "file": "contracts/needs.yaml"}]}}

    def declared(**more):
        components = {"controller": {"image": IMAGE}, "erp": {**erp, **more}}
        sections = small(components=components, services={"billing": uses})
        return Platform.read(sections, stack="dev", source="s.yaml", project=home)

    assert declared().manifests()
    (home / "contracts" / "other.yaml").write_text("openapi: 3.1.0\ninfo: {}\npaths: {}")
    with pytest.raises(StackError, match=r"erp does not offer what billing was built for: .* \(path-removed\)"):
        declared(contract="contracts/other.yaml")
    with pytest.raises(StackError, match=r"external: declares no contract .*; add it at grayling:components\.erp"):
        declared(contract="https://erp.example.com/openapi.yaml")
    with pytest.raises(StackError, match=r"components\.erp\.contract: contracts/none\.yaml: there is no such file"):
        declared(contract="contracts/none.yaml")


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        ({"provides": ["../x.yaml"]}, "contract.provides.0: is no file of a contract (found '../x.yaml')"),
        ({"provides": ["/etc/passwd"]}, "contract.provides.0: is no file of a contract"),
        ({"provides": ["contracts/none.yaml"]}, "contract.provides.0: contracts/none.yaml: there is no such file"),
        ({"provides": ["contracts/bad.yaml"]}, "contract.provides.0: contracts/bad.yaml:1: is no YAML"),
        ({"dictionary": "contracts/none.yaml"}, "contract.dictionary: contracts/none.yaml: there is no such file"),
        ({"consumes": [{"file": "contracts/needs.yaml"}]}, "say whose it is: service or external"),
        ({"consumes": [{"service": "order", "file": "contracts/needs.yaml"}]}, "did you mean 'orders'?"),
        ({"consumes": [{"service": "billing", "file": "contracts/needs.yaml"}]}, "declares no contract"),
        ({"provide": []}, "contract.provide: no such key"),
    ],
)
def test_mistakes_name_file_key_and_fix(home, contract, said):
    (home / "contracts" / "bad.yaml").write_text("a: b: c")
    services = {"orders": ORDERS, "billing": {"image": IMAGE}, "shop": {"image": IMAGE, "contract": contract}}
    found = told(home, services)
    assert said in found, found
    assert "grayling:services.shop.contract" in found


def test_fields_without_a_meaning_are_refused(home):
    (home / "contracts" / "words.yaml").write_text(WORDS)
    own = {"provides": ["contracts/orders.yaml"], "dictionary": "contracts/words.yaml"}
    found = told(home, {"orders": {"image": IMAGE, "contract": own}})
    assert "services.orders.contract.dictionary: contracts/orders.yaml: the field 'paid' is not" in found
    whole = WORDS.replace("wanted: {meaning: day of delivery, type: integer}", "wanted: {meaning: a day}")
    (home / "contracts" / "words.yaml").write_text(f"{whole}  paid: {{meaning: how much was paid}}\n")
    assert read(home, {"orders": {"image": IMAGE, "contract": own}}).manifests()


def run(home, capsys, monkeypatch, *arguments):
    monkeypatch.chdir(home)
    code = main(["stack", *arguments])
    got = capsys.readouterr()
    return code, got.out, got.err


def git(home, *arguments):
    own = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "-C", str(home), *own, *arguments], check=True, capture_output=True)


def test_contracts_are_listed_and_compared_with_a_commit_and_with_a_file(home, capsys, monkeypatch):
    git(home, "init", "-q")
    git(home, "add", ".")
    git(home, "commit", "-qm", "one")
    code, out, _ = run(home, capsys, monkeypatch, "contracts", "dev", "-o", "json")
    data = json.loads(out)
    assert (code, data["schema"]) == (0, "grayling.contracts/1")
    assert [(each["member"], each["form"], each["version"]) for each in data["contracts"]] == [
        ("orders", "openapi", "1.2.0")
    ]
    (pact,) = data["pacts"]
    assert (pact["consumer"], pact["provider"], pact["fits"]) == ("billing", "orders", True)
    assert run(home, capsys, monkeypatch, "contracts", "dev", "--against", "HEAD")[0] == 0
    before = home / "before.yaml"
    before.write_text(OPENAPI)
    (home / "contracts" / "orders.yaml").write_text(OPENAPI.replace("/orders/{id}", "/other/{id}"))
    for against in ("HEAD", str(before)):
        code, out, _ = run(home, capsys, monkeypatch, "contracts", "dev", "--against", against)
        assert code == 6
        assert "breaks: /orders/{id}: is no more there (path-removed: its callers get 404)" in out
    (home / "contracts" / "orders.yaml").write_text(OPENAPI.replace("oauth: [orders.read]", "other: []"))
    write(home, {"orders": ORDERS})
    assert run(home, capsys, monkeypatch, "contracts", "dev", "--against", "HEAD")[0] == 6


def test_what_cannot_be_compared_with_is_told(home, capsys, monkeypatch):
    code, _, said = run(home, capsys, monkeypatch, "contracts", "dev", "--against", "nowhere")
    assert code == 2
    assert "--against nowhere: neither a file nor a commit" in said
    (home / "old.yaml").write_text("a: 1")
    code, _, said = run(home, capsys, monkeypatch, "contracts", "dev", "--against", "old.yaml")
    assert (code, "says neither openapi nor asyncapi" in said) == (2, True)
    code, _, said = run(home, capsys, monkeypatch, "contracts", "dev", "--only", "x.yaml")
    assert (code, "no such document is provided; there is contracts/orders.yaml" in said) == (2, True)


def test_validate_tells_the_line_of_the_stack_file(home, capsys, monkeypatch):
    (home / "contracts" / "orders.yaml").write_text(yaml.safe_dump(NO_ID))
    code, _, said = run(home, capsys, monkeypatch, "validate", "dev")
    assert code == 2
    lines = (home / "stacks" / "Pulumi.dev.yaml").read_text().splitlines()
    line = next(index for index, each in enumerate(lines, 1) if "file: contracts/needs.yaml" in each)
    assert f"stacks/Pulumi.dev.yaml:{line}: " in said


def test_release_start_refuses_before_the_file_is_changed(home, capsys, monkeypatch, tmp_path):
    """The stack is rendered before anything is asked of a cluster, so nothing has to answer there."""
    from tests.fakes.kubeconfig import kubeconfig_for

    (home / "contracts" / "orders.yaml").write_text(yaml.safe_dump(NO_ID))
    before = (home / "stacks" / "Pulumi.dev.yaml").read_text()
    (tmp_path / "kubeconfig").write_text(kubeconfig_for(1))
    monkeypatch.chdir(home)
    where = ["--kubeconfig", str(tmp_path / "kubeconfig"), "-n", "shop", "--stack", "dev"]
    code = main(["release", "start", "orders", "--image", "registry.example.com/x/y:2", *where])
    assert (code, "does not offer what billing was built for" in capsys.readouterr().err) == (2, True)
    assert (home / "stacks" / "Pulumi.dev.yaml").read_text() == before


def test_a_review_of_two_commits_tells_what_the_second_breaks(home, capsys, monkeypatch):
    write(home, {"orders": ORDERS})
    git(home, "init", "-q")
    git(home, "add", ".")
    git(home, "commit", "-qm", "one")
    (home / "contracts" / "orders.yaml").write_text(yaml.safe_dump(NO_ID))
    git(home, "commit", "-qam", "two")
    monkeypatch.chdir(home)
    assert main(["review", "preview", "dev", "--offline", "--base", "HEAD~1", "-o", "json"]) == 0
    risks = json.loads(capsys.readouterr().out)["risks"]
    told = [each for each in risks if each["id"] == "contract-broken"]
    assert {each["severity"] for each in told} == {"high"}
    assert any("GET /orders response 200 [].id: is no more there" in each["text"] for each in told)
    assert {each["object"] for each in told} == {"ConfigMap shop/orders-contracts"}
