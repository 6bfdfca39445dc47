"""Stack files as people get them wrong: each answers with one line a mistake, with its place, and means one thing."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.cli import cli
from components.deploy.render import PROGRAM, declared, recorded
from components.deploy.session import inventory_of
from components.stack.passphrase import new_salt
from components.stack.project import project_name, stack_folder
from components.stack.stackfile import find
from kube.errors import UsageError
from tests.components.accepted import refusals
from tests.components.conftest import ROOT

WHERE = "config:\n  grayling:environment: {tier: dev, namespace: shop, owners: [platform]}\n"
SERVICES = "  grayling:services:\n    checkout: {image: 'r.example.com/a:1.0', port: 80}\n"
SEALED = "{secure: 'v1:GhpJwa39WFQnkITL:MUPkwCzGTb+YQgGeufM6IUluy3VjOX1McD2Gs05BI89n'}"
START = "a stack file starts with `config:` (docs/how-to/stacks.md)"
LAUGHS = "".join(
    f"  pulumi:{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)

REFUSED = {
    "empty": ("", f":1: is empty; {START}"),
    "blank": ("# later\n\n", f":1: is empty; {START}"),
    "list": ("- a\n- b\n", f":1: is a list; {START}"),
    "word": ("config\n", f":1: is a value; {START}"),
    "config-empty": ("config:\n", ":1: config: is empty; give it keys such as grayling:environment"),
    "config-list": ("config: [a]\n", ":1: config: must be a map; give it keys such as grayling:environment"),
    "no-environment": (
        "config: {}\n",
        ":1: grayling:environment: is required; see docs/how-to/stacks.md for the shortest stack file",
    ),
    "service-twice": (
        f"{WHERE}  grayling:services:\n    a: {{image: 'r/a:1'}}\n    a: {{image: 'r/b:1'}}\n",
        ":5: grayling:services.a: is given twice, in lines 4 and 5; keep one",
    ),
    "section-twice": (
        f"{WHERE}{SERVICES}{SERVICES}",
        ":5: grayling:services: is given twice, in lines 3 and 5; keep one",
    ),
    "section-twice-without-prefix": (
        f"{WHERE}{SERVICES}  services: {{}}\n",
        ":5: grayling:services: is given twice, in lines 3 and 5; keep one",
    ),
    "recursive": (
        f"{WHERE}  grayling:services: &a\n    checkout: *a\n",
        ":4: grayling:services.checkout: *a stands within &a itself; write the value out",
    ),
    "exploding": (
        f"{WHERE}  pulumi:a: &a [x, x, x, x, x, x, x, x, x]\n{LAUGHS}",
        ":8: pulumi:f[2]: aliases that unfold to more than a file may hold; write the values out",
    ),
    "outdented": (
        f"{WHERE}grayling:services:\n  checkout: {{image: 'r.example.com/a:1.0'}}\n",
        ":3: grayling:services: stands outside config, where nothing reads it; indent it under config",
    ),
    "outdented-without-prefix": (
        f"{WHERE}services: {{}}\n",
        ":3: services: stands outside config, where nothing reads it; indent it under config",
    ),
    "outdented-environment": (
        "environment: {tier: dev, namespace: shop, owners: [platform]}\nconfig:\n  grayling:services: {}\n",
        ":1: environment: stands outside config, where nothing reads it; indent it under config",
    ),
    "beside-config": (
        f"{WHERE}encryptionSalt: v1:x\n",
        ":3: encryptionSalt: no such key beside config; did you mean 'encryptionsalt'?",
    ),
    "word-near-config": (f"{WHERE}Config: {{}}\n", ":3: Config: no such key beside config; did you mean 'config'?"),
    "map-beside-config": (
        f"{WHERE}resources: {{a: b}}\n",
        (
            ":3: resources: no such key beside config; known here: config, encryptedkey, encryptionsalt, environment, "
            "secretsprovider"
        ),
    ),
    "salt-that-is-a-list": (
        f"{WHERE}encryptionsalt: [a]\n",
        ":3: encryptionsalt: is no text; write what Pulumi wrote there, or leave it out",
    ),
    "context-with-a-slip": (
        f"{WHERE}  kubernetes:contxt: prod\n",
        ":3: kubernetes:contxt: no such key of this provider; did you mean 'context'?",
    ),
    "section-of-another": (
        f"{WHERE}  pulumi:services: {{}}\n",
        ":3: pulumi:services: is not read from the namespace pulumi; write grayling:services",
    ),
    "date-alone": ("2026-01-01\n", ":1: is a date to YAML (found 2026-01-01); quote it: '2026-01-01'"),
    "secret-that-is-a-date": (
        f"{WHERE}  grayling:secrets: {{a: {{b: 2026-01-01}}}}\n",
        ":3: grayling:secrets.a.b: is a date to YAML; quote it",
    ),
    "services-empty": (
        f"{WHERE}  grayling:services:\n",
        ":3: grayling:services: is empty; write {} for none, or leave the key out",
    ),
    "components-empty": (
        f"{WHERE}  components: ~\n",
        ":3: grayling:components: is empty; write {} for none, or leave the key out",
    ),
    "number-as-key": (f"{WHERE}  5: x\n", ":3: 5: the key 5 is a number to YAML; quote it: '5'"),
    "yes-as-name": (
        f"{WHERE}  grayling:services:\n    on: {{image: 'r.example.com/a:1.0'}}\n",
        ":4: grayling:services.on: the key on is true or false to some readers; quote it: 'on'",
    ),
    "date-as-name": (
        f"{WHERE}  grayling:services:\n    2026-01-01: {{image: 'r.example.com/a:1.0'}}\n",
        ":4: grayling:services.2026-01-01: the key 2026-01-01 is a date to YAML; quote it: '2026-01-01'",
    ),
    "endless": (
        f"{WHERE}  grayling:services:\n    a: {{image: 'r/a:1', strategy: {{bake: .inf}}}}\n",
        ":4: grayling:services.a.strategy.bake: is no number that ends (found .inf); write one that does",
    ),
    "namespace": (
        f"{WHERE}  graylin:services: {{}}\n",
        ":3: graylin:services: nothing reads the namespace 'graylin'; did you mean 'grayling'?",
    ),
    "namespace-of-nobody": (
        f"{WHERE}  acme:size: 5\n",
        ":3: acme:size: nothing reads the namespace 'acme'; known here: grayling, kubernetes",
    ),
    "dotted": (
        f"{WHERE}  grayling:services.checkout.image: r.example.com/a:1.0\n",
        ":3: \"grayling:services.checkout.image\": no such key (found 'r.example.com/a:1.0'); did you mean 'services'?",
    ),
    "dotted-name": (
        f"{WHERE}  services:\n    a.b: {{image: 'r.example.com/a:1.0'}}\n",
        ":4: grayling:services[\"a.b\"]: is no name (found 'a.b'); use at most 40 of a-z, 0-9 and -, a letter first",
    ),
    "json-key-twice": (
        f'{WHERE}  grayling:services: \'{{"a": {{"image": "r/a:1"}}, "a": {{"image": "r/b:1"}}}}\'\n',
        ':3: grayling:services: is JSON with the key "a" given twice; write it as YAML, without quotes',
    ),
    "json-endless": (
        f'{WHERE}  grayling:services: \'{{"a": {{"image": "r/a:1", "port": NaN}}}}\'\n',
        ":3: grayling:services: is JSON with NaN, which is no number that ends; write it as YAML, without quotes",
    ),
    "json-too-large-a-number": (
        f'{WHERE}  grayling:services: \'{{"a": {{"image": "r/a:1", "port": 1e999}}}}\'\n',
        ":3: grayling:services: is JSON with 1e999, which is no number that ends; write it as YAML, without quotes",
    ),
    "json-cut-off": (
        f"{WHERE}  grayling:services: '{{\"a\": '\n",
        ":3: grayling:services: is no JSON: expecting value in column 7; write it as YAML, without quotes",
    ),
    "json-deep": (
        f"{WHERE}  grayling:services: '{'[' * 101}{']' * 101}'\n",
        ":3: grayling:services: is JSON nested more than 100 deep; write it as YAML, without quotes",
    ),
    "json-very-deep": (
        f"{WHERE}  grayling:services: '{'[' * 100_000}'\n",
        ":3: grayling:services: is JSON nested more than 100 deep; write it as YAML, without quotes",
    ),
    "json-in-the-environment": (
        'config:\n  grayling:environment: \'{"tier": "dev", "tier": "prod"}\'\n',
        ':2: grayling:environment: is JSON with the key "tier" given twice; write it as YAML, without quotes',
    ),
    "esc-word": (
        f"{WHERE}environment: dev\n",
        ":3: environment: is no list of environments of Pulumi ESC; write [NAME], or leave it out",
    ),
    "esc-maps": (
        f"{WHERE}environment: [{{a: b}}]\n",
        ":3: environment: is no list of environments of Pulumi ESC; write [NAME], or leave it out",
    ),
    "context-map": (
        f"{WHERE}  kubernetes:context: {{a: b}}\n",
        ":3: kubernetes:context: is no text; write one, or leave the key out",
    ),
    "context-number": (
        f"{WHERE}  kubernetes:context: 5\n",
        ":3: kubernetes:context: is no text; write one, or leave the key out",
    ),
    "owner-of-two-lines": (
        'config:\n  grayling:environment: {tier: dev, namespace: shop, owners: ["a\\nb"]}\n',
        (
            ":2: grayling:environment.owners[0]: is no owner (found 'a\\nb'); "
            "name a team on one line of at most 200 characters, for example platform"
        ),
    ),
    "sealed-elsewhere": (
        f"{WHERE}  grayling:services:\n    a:\n      image: r.example.com/a:1.0\n      env:\n        T: {SEALED}\n",
        (
            ":7: grayling:services.a.env.T: a sealed value outside grayling:secrets would become plain text; "
            "move it to grayling:secrets.NAME.KEY, and name it here as {secret: NAME, key: KEY}"
        ),
    ),
    "sealed-in-a-list": (
        f"{WHERE}  grayling:services:\n    a:\n      image: r.example.com/a:1.0\n      args: [x,\n        {SEALED}]\n",
        (
            ":7: grayling:services.a.args[1]: a sealed value outside grayling:secrets would become plain text; "
            "move it to grayling:secrets.NAME.KEY, and name it here as {secret: NAME, key: KEY}"
        ),
    ),
    "sealed-environment": (
        f"config:\n  grayling:environment: {SEALED}\n",
        (
            ":2: grayling:environment: a sealed value outside grayling:secrets would become plain text; "
            "move it to grayling:secrets.NAME.KEY, and name it here as {secret: NAME, key: KEY}"
        ),
    ),
    "plain-secret": (
        f"{WHERE}  secrets: {{payment: {{token: hunter2}}}}\n",
        (
            ":3: grayling:secrets.payment.token: is not sealed; "
            "seal it with `grayling stack secret set STACK payment.token`"
        ),
    ),
    "dated-secret": (
        f"{WHERE}  grayling:secrets: {{payment: {{token: {SEALED}, pin: 5}}}}\n",
        ":3: grayling:secrets.payment.pin: is not sealed; seal it with `grayling stack secret set STACK payment.pin`",
    ),
    "empty-secret": (
        f"{WHERE}  grayling:secrets: {{payment: {{token: {{secure: ''}}}}}}\n",
        (
            ":3: grayling:secrets.payment.token.secure: is no sealed value; "
            "seal it with `grayling stack secret set STACK payment.token`"
        ),
    ),
    "flat-secret": (
        f"{WHERE}  grayling:secrets: {{payment: {SEALED}}}\n",
        (
            ":3: grayling:secrets.payment: must be a map of keys to sealed values; "
            "seal it with `grayling stack secret set STACK payment.KEY`"
        ),
    ),
    "secrets-as-list": (
        f"{WHERE}  grayling:secrets: [hunter2]\n",
        (
            ":3: grayling:secrets: must be a map of Secrets, each a map of keys to sealed values; "
            "seal it with `grayling stack secret set STACK NAME.KEY`, or leave it out"
        ),
    ),
    "tier": (
        "config:\n  grayling:environment:\n    tier: production\n    namespace: shop\n    owners: [p]\n",
        (":3: grayling:environment.tier: is no tier (found 'production'); did you mean 'prod'?"),
    ),
    "tier-list": (
        "config:\n  grayling:environment:\n    tier: [dev]\n    namespace: shop\n    owners: [p]\n",
        ":3: grayling:environment.tier: is none of local, dev, staging, prod (found ['dev']); did you mean 'dev'?",
    ),
}


def stack_of(project, text: str):
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text(text)
    return find("t", project)


def said(project, text: str) -> str:
    """What ``grayling stack validate`` answers to a file that is refused."""
    stack_of(project, text)
    result = CliRunner().invoke(cli, ["validate", str(project / "stacks" / "Pulumi.t.yaml")])
    assert isinstance(result.exception, UsageError), result.exception
    assert result.exception.exit_code == 2
    return str(result.exception)


@pytest.mark.parametrize("kind", REFUSED)
def test_one_mistake_is_one_line_with_its_place(project, kind):
    text, expected = REFUSED[kind]
    assert said(project, text) == f"{project}/stacks/Pulumi.t.yaml{expected}"


def test_all_mistakes_come_at_once_in_the_order_of_the_file(project):
    text = """config:
  grayling:environment: {tier: devv, namespace: shop, owners: [platform]}
  grayling:services:
    checkout:
      env:
        DEBUG: true
        OCT: 0755
        YES: yes
        DATE: 2026-01-01
        NUL:
        OK: yes
      replicas: 0o17
      image: r.example.com/a
grayling:components: {}
"""
    head, *lines = said(project, text).splitlines()
    assert head == f"{project}/stacks/Pulumi.t.yaml: 8 mistakes"
    assert [line.removeprefix(f"  {project}/stacks/Pulumi.t.yaml:").partition(":")[0] for line in lines] == [
        "2", "6", "7", "8", "9", "10", "13", "14",
    ]  # fmt: skip
    assert lines[2].endswith("grayling:services.checkout.env.OCT: is no text (found 0755); quote it: '0755'")
    assert lines[4].endswith("env.DATE: is a date to YAML (found 2026-01-01); quote it: '2026-01-01'")


def test_other_encodings(project):
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_bytes(WHERE.replace("platform", "plättform").encode("latin-1"))
    result = CliRunner().invoke(cli, ["validate", str(path)])
    assert str(result.exception) == f"{path}:2: is not UTF-8: byte 72 is 0xe4; save it as UTF-8"


PROVIDERS = "  pulumi:disable-default-providers: ['*']\n  kubernetes:context: shop\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{WHERE}{SERVICES}",
        f"\ufeff{WHERE}{SERVICES}",
        f"{WHERE}{SERVICES}".replace("grayling:", ""),
        f"{WHERE}{SERVICES}".replace("\n", "\r\n"),
        f"{WHERE}{SERVICES}{PROVIDERS}",
        f"{WHERE}{SERVICES}environment: [shared]\nsecretsprovider: passphrase\n",
        f"--- \n{WHERE}{SERVICES}...\n",
        f"{WHERE}  services:\n    checkout: {{<<: {{port: 80}}, image: 'r.example.com/a:1.0'}}\n",
    ],
)
def test_one_meaning_however_it_is_written(project, text):
    alike = declared(stack_of(project, f"{WHERE}{SERVICES}"))
    assert declared(stack_of(project, text)) == alike


def test_one_meaning_in_both_engines(project):
    file = stack_of(project, f"{WHERE}{SERVICES}{PROVIDERS}".replace("grayling:", ""))
    kinds = sorted(item["kind"] for item in recorded(file, project / PROGRAM))
    assert kinds == sorted(item["kind"] for item in declared(file))


def test_a_path_from_elsewhere_belongs_to_the_project_at_hand(project, tmp_path_factory, monkeypatch):
    far = tmp_path_factory.mktemp("far") / "Pulumi.far.yaml"
    far.write_text(f"{WHERE}{SERVICES}")
    monkeypatch.chdir(project)
    result = CliRunner().invoke(cli, ["validate", str(far)])
    assert result.exit_code == 0, result.exception
    monkeypatch.chdir(far.parent)
    far.write_text("config: {}")
    result = CliRunner().invoke(cli, ["validate", str(far)])
    assert "no Pulumi.yaml in" in str(result.exception)


@pytest.mark.parametrize("name", ["x" * 300, "a/b", "..", "\n"])
def test_names_of_no_stack(project, name):
    with pytest.raises(UsageError, match="no stack"):
        find(name, project)


@pytest.mark.parametrize(
    "name", ["A", "a b", "a\nb", "a_b", "-a", "a-", "a..b", ".a", "a.-b", "ä", "a" * 101, "a/b".replace("/", "\\")]
)
def test_names_that_a_stack_cannot_have(project, name):
    path = project / "stacks" / f"Pulumi.{name}.yaml"
    path.write_text(f"{WHERE}{SERVICES}")
    for named in (name, str(path)):
        with pytest.raises(UsageError) as caught:
            find(named, project)
        said = str(caught.value)
        assert "\n" not in said
        assert f"yaml{chr(39) if not name.isprintable() else ''}: is no name of a stack (found " in said
        assert said.endswith(
            "; call the file Pulumi.NAME.yaml, with at most 100 of a-z, 0-9, - and ., "
            "a letter or digit at both ends of each part"
        )


def test_the_program_refuses_them_too(project):
    file = replace(stack_of(project, f"{WHERE}{SERVICES}"), stack="A")
    with pytest.raises(UsageError, match=r"is no name of a stack \(found 'A'\); call the file"):
        recorded(file, project / PROGRAM)


@pytest.mark.parametrize("name", ["a", "0", "eu.prod", "a-1", "a" * 100])
def test_names_that_a_stack_can_have(project, name):
    path = project / "stacks" / f"Pulumi.{name}.yaml"
    path.write_text(f"{WHERE}{SERVICES}")
    assert find(name, project).stack == find(str(path), project).stack == name
    parent = inventory_of(find(name, project)).parent([], [])
    assert refusals(parent) == []


def test_a_broken_link_and_a_folder(project):
    (project / "stacks" / "Pulumi.link.yaml").symlink_to("gone")
    (project / "stacks" / "Pulumi.folder.yaml").mkdir()
    for name, expected in (("link", "is a link to gone, which is not there"), ("folder", "is a folder")):
        with pytest.raises(UsageError, match=rf"^stacks/Pulumi\.{name}\.yaml: {expected}"):
            find(name, project).config()


# ---------------------------------------------------------------------- a law

WHOLE = yaml.safe_load((ROOT / "stacks" / "Pulumi.dev.yaml").read_text())
ODD = st.sampled_from(
    [None, True, -1, 1.5, 10**18, "", "x", "a.b", "é\n", [], ["x"], [None], [[1]], {}, {"a": 1}, {"": ""},
     {"a.b": {"c[0]": []}}, {"secure": "v1:a:b"}, {"secure": 5}]
)  # fmt: skip
NEW_KEYS = st.sampled_from(["x", "a.b", "", "grayling:x", "kind", "secure", "5", "<<"])


def below(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from below(inner, (*path, key))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(below(WHOLE), key=str)), NEW_KEYS | st.none(), ODD), min_size=1, max_size=3
    )
)
def test_whatever_stands_in_a_file_it_renders_or_every_mistake_has_its_line(project, changes):
    whole = copy.deepcopy(WHOLE)
    for path, key, odd in changes:
        here = whole
        try:
            for part in path if key is not None else path[:-1]:
                here = here[part]
            here[path[-1] if key is None else key] = odd
        except (IndexError, KeyError, TypeError):
            continue  # an earlier change took it away
    file = stack_of(project, yaml.safe_dump(whole))
    try:
        assert declared(file)
    except UsageError as error:
        head, *lines = str(error).splitlines()
        for line in lines or [head]:
            assert re.match(r" *stacks/Pulumi\.t\.yaml:\d+: .|stacks/Pulumi\.t\.yaml: it holds secure values", line)


# ---------------------------------------------------------------------- under Pulumi


def under_pulumi(project, text: str, config: dict[str, str]) -> str:
    """What the program says where Pulumi has read the file itself, and handed over what it took for configuration."""
    stack_of(project, text)
    request = {"program": str(project / PROGRAM), "stack": "t", "config": config, "secret_keys": []}
    done = subprocess.run(
        [sys.executable, "-m", "components.deploy.offline_run"],
        input=json.dumps(request),
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.dumps(json.loads(done.stdout))


ENVIRONMENT = {"grayling:environment": '{"tier": "dev", "namespace": "shop", "owners": ["platform"]}'}


def test_pulumi_is_told_what_it_would_drop(project):
    answer = under_pulumi(project, f"{WHERE}grayling:services: {{}}\n", ENVIRONMENT)
    assert "stands outside config, where nothing reads it" in answer
    answer = under_pulumi(project, f"{WHERE}  graylin:services: {{}}\n", {**ENVIRONMENT, "graylin:services": "{}"})
    assert "nothing reads the namespace 'graylin'" in answer


def test_pulumi_is_told_of_plain_text(project):
    opened = {**ENVIRONMENT, "grayling:services": '{"a": {"image": "hunter2"}}'}
    answer = under_pulumi(project, f"{WHERE}  services: {{a: {{image: {SEALED}}}}}\n", opened)
    assert "a sealed value outside grayling:secrets" in answer
    assert "hunter2" not in answer


def test_pulumi_is_told_the_lines(project):
    answer = under_pulumi(
        project, f"{WHERE}  services: {{a: {{}}}}\n", {**ENVIRONMENT, "grayling:services": '{"a": {}}'}
    )
    assert '["grayling:services.a.image", "", "is required", "add it", 3, ""]' in answer


def test_another_file_than_the_one_pulumi_read_says_nothing(project):
    answer = under_pulumi(project, f"{WHERE}  graylin:services: {{}}\n", ENVIRONMENT)
    assert "manifests" in answer


# ---------------------------------------------------------------------- the project


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: is no map; a project starts with `name:` and `runtime:`"),
        ("name: a\nname: b\n", ":2: name: is given twice, in lines 1 and 2; keep one"),
        ("name: [a]\n", ":1: name: is no text; write one"),
        ("name: a\nstackConfigDir: 5\n", ":2: stackConfigDir: is no text; write one"),
        (
            "name: a\nconfig:\n  grayling:environment: {}\n",
            ":3: grayling:environment: in the project is read by Pulumi",
        ),
        ("name: 'a\n", ":2: not YAML"),
        ("name: 2026-01-01\n", ":1: name: is a date to YAML"),
    ],
)
def test_a_project_file_that_is_wrong(project, text, expected):
    (project / "Pulumi.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        stack_folder(project)
    assert str(caught.value).startswith(f"{project}/Pulumi.yaml{expected}")


def test_a_project_of_another_name(project):
    (project / "Pulumi.yaml").write_text("name: acme\nruntime: python\nstackConfigDir: stacks\n")
    assert project_name(project) == "acme"
    assert said(project, f"{WHERE}  services: {{}}\n").endswith(
        ":3: services: means acme:services, because the project is called acme, and nothing reads it; "
        "write grayling:services"
    )
    assert declared(stack_of(project, f"{WHERE}{SERVICES}  size: 5\n  acme:region: x\n"))


# ---------------------------------------------------------------------- opened values

PLANTED = "swordfish-0xCAFE"


def planted(project, monkeypatch, text: str) -> str:
    """The file with PLANTED, sealed, wherever it says ``{planted}``."""
    monkeypatch.setattr("components.stack.passphrase.ROUNDS", 10)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    salt, crypter = new_salt("test")
    sealed = f"{{secure: '{crypter.seal(PLANTED)}'}}"
    stack_of(project, f"encryptionsalt: {salt}\n{text.replace('{planted}', sealed)}")
    return str(project / "stacks" / "Pulumi.t.yaml")


SECRET = "  grayling:secrets: {payment: {token: {planted}}}\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{WHERE}  grayling:services: {{a: {{image: {{planted}}}}}}\n",
        f"{WHERE}  grayling:services: {{a: {{image: 'r/a:1', env: {{A: {{planted}}}}}}}}\n",
        f"{WHERE}  grayling:services: {{a: {{image: 'r/a:1', replicas: {{planted}}}}}}\n",
        f"{WHERE}  grayling:services: {{planted}}\n",
        f"{WHERE}  grayling:components: {{redis: {{storage: {{planted}}}}}}\n",
        f"{WHERE}  grayling:components: {{redis: {{planted}}}}\n",
        "config:\n  grayling:environment: {tier: {planted}, namespace: {planted}, owners: [{planted}]}\n",
        f"{WHERE}  grayling:secrets: {{planted}}\n",
        f"{WHERE}  grayling:secrets: {{payment: {{planted}}}}\n",
        f"{WHERE}  grayling:secrets: {{payment: [{{planted}}]}}\n",
        f"{WHERE}{SECRET}  grayling:services: {{a: {{}}}}\n",
        f"{WHERE}{SECRET}  grayling:components: {{rediss: {{}}}}\n",
        f"{WHERE}{SECRET}  grayling:nothing: {{planted}}\n",
        f"{WHERE}{SECRET}  graylin:nothing: {{planted}}\n",
        f"{WHERE}{SECRET}grayling:services: {{planted}}\n",
        f"{WHERE}{SECRET}  grayling:services: {{a: {{image: 'r/a:latest'}}}}\n",
    ],
)
def test_an_opened_value_is_in_no_error(project, monkeypatch, text):
    path = planted(project, monkeypatch, text)
    if "latest" in text:  # through a program of its own too
        (project / PROGRAM).write_text((project / PROGRAM).read_text() + "\nprint(platform)\n")
    result = CliRunner().invoke(cli, ["render", path])
    assert isinstance(result.exception, UsageError)
    assert PLANTED not in f"{result.output}{result.exception}{result.exception!r}{result.exception.__cause__!r}"


def test_a_program_that_fails_shows_no_opened_value(project, monkeypatch):
    path = planted(project, monkeypatch, f"{WHERE}{SECRET}")
    (project / PROGRAM).write_text(
        "import base64, pulumi\n"
        "found = pulumi.Config('grayling').require_object('secrets')['payment']['token']\n"
        "raise KeyError(found, base64.b64encode(found.encode()).decode())\n"
    )
    result = CliRunner().invoke(cli, ["render", path])
    assert "the program failed" in str(result.exception)
    assert "KeyError: ('(hidden)', '(hidden)')" in str(result.exception)


def test_an_opened_value_is_hidden_wherever_it_is_shown(project, monkeypatch):
    planted(project, monkeypatch, f"{WHERE}{SECRET}")
    config, keys = find("t", project).config()
    assert keys == ["grayling:secrets"]
    value = config["grayling:secrets"]["payment"]["token"]
    assert value == PLANTED
    assert json.dumps(value) == f'"{PLANTED}"'
    assert {
        str(value),
        repr(value),
        f"{value}",
        f"{value:>5}",
        f"{value}",
        str([value])[1:-1],
    } == {"(hidden)"}
    assert PLANTED not in f"{config}{keys}"
    assert type(value)(value) == PLANTED


def test_both_engines_write_the_secret(project, monkeypatch):
    planted(project, monkeypatch, f"{WHERE}{SECRET}")
    file = find("t", project)
    (own,) = [item["data"] for item in declared(file) if item["kind"] == "Secret"]
    (pulumis,) = [item["data"] for item in recorded(file, project / PROGRAM) if item["kind"] == "Secret"]
    assert own == pulumis == {"token": "c3dvcmRmaXNoLTB4Q0FGRQ=="}
