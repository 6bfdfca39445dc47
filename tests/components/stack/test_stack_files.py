"""Stack files as people get them wrong: each answers with one line a mistake, with its place, and means one thing."""

from __future__ import annotations

import copy
import re

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.cli import cli
from components.deploy.render import PROGRAM, declared, recorded
from components.stack.stackfile import find
from kube.errors import UsageError
from tests.components.conftest import ROOT
from tests.components.stack.stack_files import SEALED, SERVICES, WHERE, said, stack_of

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
