"""`release list` and `release status`, and every way they can fail."""

import json

import pytest
import yaml

from tests.rollout import samples


@pytest.fixture
def shop(world):
    world.put(samples.manifest(status=samples.stepping(judge="sums")))
    world.put(samples.manifest("billing", status=samples.promoted()))
    return world


def test_list(shop):
    result = shop.grayling("list")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].split() == ["NAME", "PHASE", "WEIGHT", "STABLE", "CANARY", "VERDICT", "SINCE"]
    assert lines[1].startswith("billing   Idle          -        shop/checkout:v2")
    assert lines[2].startswith("checkout  Stepping 2/3  20/19.7  shop/checkout:v1  shop/checkout:v2  undecided")


def test_list_of_all_namespaces(shop):
    elsewhere = samples.manifest()
    elsewhere["metadata"]["namespace"] = "other"
    shop.put(elsewhere)
    lines = shop.grayling("list", "-A").out.splitlines()
    assert lines[0].startswith("NAMESPACE  NAME")
    assert [line.split()[0] for line in lines[1:]] == ["other", "shop", "shop"]
    assert len(shop.grayling("list", "-n", "other").out.splitlines()) == 2


def test_a_list_of_names_is_for_loops(shop, world):
    assert shop.grayling("list", "-o", "name").out == "billing\ncheckout\n"
    assert world.grayling("list", "-n", "empty", "-o", "name").out.strip() == ""


def test_list_of_nothing(world):
    result = world.grayling("list")
    assert (result.code, result.out.strip()) == (0, "")
    assert result.err == "No releases in namespace shop.\n"
    assert world.grayling("list", "-A", "-o", "json").out == "[]\n"
    assert "No releases in the cluster." in world.grayling("list", "-A").err


def test_data_is_data_and_without_the_judges_sums(shop):
    [billing, checkout] = json.loads(shop.grayling("list", "-o", "json").out)
    assert billing["metadata"]["name"] == "billing"
    assert checkout["status"]["phase"] == "Stepping"
    assert "judge" not in checkout["status"]


def test_status_text(shop):
    result = shop.grayling("status", "checkout")
    assert result.code == 0
    assert result.out.startswith("shop/checkout  Stepping 2/3  shop/checkout:v1 -> shop/checkout:v2\n")
    assert "\x1b" not in result.out


def test_status_as_yaml_and_to_files(shop, tmp_path):
    file = tmp_path / "status.json"
    result = shop.grayling("status", "checkout", "-o", "yaml", "-o", f"json={file}")
    assert yaml.safe_load(result.out) == json.loads(file.read_text())


def test_only_files_leave_stdout_alone(shop, tmp_path):
    result = shop.grayling("status", "checkout", "-o", f"text={tmp_path / 'x'}")
    assert result.out == ""
    assert (tmp_path / "x").read_text().startswith("shop/checkout")


def test_a_file_that_cannot_be_written(shop, tmp_path):
    result = shop.grayling("status", "checkout", "-o", f"json={tmp_path / 'no' / 'x'}")
    assert result.code == 2
    assert result.err.startswith("Error: -o json=")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "xml"], "'xml' is not one of text, json, yaml"),
        (["-o", "json", "-o", "yaml"], "only one form can go to stdout"),
        (["--nonsense"], "No such option"),
    ],
)
def test_usage(shop, arguments, told):
    result = shop.grayling("status", "checkout", *arguments)
    assert result.code == 2
    assert told in result.err
    assert result.out == ""


def test_no_such_release(shop):
    result = shop.grayling("status", "nope")
    assert result.code == 1
    assert result.err.startswith("Error: get GrayRelease shop/nope:")


def test_no_such_context(shop):
    result = shop.grayling("status", "checkout", "--context", "mars")
    assert result.code == 2
    assert "mars" in result.err


def test_no_such_kubeconfig(shop):
    result = shop.grayling("status", "checkout", "--kubeconfig", "/nowhere")
    assert (result.code, result.err) == (2, "Error: --kubeconfig /nowhere: no such file\n")


def test_unreachable(shop):
    shop.server.down = True
    result = shop.grayling("status", "checkout")
    assert result.code == 12
    assert "no answer from http://127.0.0.1" in result.err


def broken(status=None):
    made = samples.manifest("broken", status=status or samples.stepping(spec_generation=2))
    made["spec"]["strategy"]["steps"] = [{"weight": 20}, {"weight": 5}]
    return made


MISTAKE = "Warning: shop/broken: spec.strategy: Value error, steps: weights must rise"


def test_a_spec_that_is_not_valid_hides_no_release(world):
    """Nobody has noted a valid one: what is persisted is shown, and nothing is told ahead."""
    world.put(broken())
    result = world.grayling("status", "broken")
    assert result.code == 0
    assert result.err.startswith(MISTAKE)
    assert "no valid spec is known: what serves stays as it is, and nothing new begins" in result.err
    assert result.out.startswith("shop/broken  Stepping 2/3  shop/checkout:v1 -> shop/checkout:v2\n")
    assert "cannot be told: the spec in force is not known" in result.out
    assert "\nsteps\n" not in result.out
    assert json.loads(world.grayling("status", "broken", "-o", "json").out)["status"]["phase"] == "Stepping"


def test_the_spec_in_force_is_shown_where_the_engine_noted_it(world):
    from rollout.api.revision import manifests_of

    [deployment] = [
        each
        for each in manifests_of("checkout", "shop", "u-1", samples.spec(), replicas=1, epoch=1)
        if each["kind"] == "Deployment"
    ]
    deployment["metadata"]["name"] = samples.CANARY.revision
    world.put(deployment)
    world.put(broken())
    result = world.grayling("status", "broken")
    assert result.code == 0
    assert result.err.startswith(MISTAKE)
    assert "5 % for 1m" in result.out
    assert "cannot be told" not in result.out
    world.server.fail("GET", "deployments/", 403, times=9, message="cannot get deployments")
    result = world.grayling("status", "broken")
    assert result.code == 0
    assert "cannot be told" in result.out


def test_a_spec_that_is_not_valid_hides_no_outcome(world):
    world.put(broken())
    world.when_watched(lambda: world.server.put(broken(samples.rolled_back())))
    result = world.grayling("watch", "broken", "-o", "json")
    assert result.code == 7
    assert result.err.startswith(MISTAKE)
    assert json.loads(result.out)["outcome"] == "rolled-back"


def test_a_spec_that_no_engine_has_seen_is_the_callers_mistake(world):
    made = broken()
    del made["status"]
    world.put(made)
    result = world.grayling("watch", "broken")
    assert result.code == 2
    assert "shop/broken: spec.strategy" in result.err
    assert world.grayling("status", "broken").code == 0


@pytest.mark.parametrize("spec", [None, 3, [], {}])
def test_a_spec_that_is_none_at_all(world, spec):
    world.put({**broken(), "spec": spec})
    result = world.grayling("status", "broken")
    assert result.code == 0
    assert result.out.startswith("shop/broken  Stepping 2/3")


def test_the_weight_on_the_route_is_told_where_it_is_another(world):
    weight = {"desired": 20, "written": 0, "accepted": 0}
    world.put(samples.manifest(status=samples.stepping(weight=weight)))
    assert "20 % desired, 0 on the route, 0 accepted" in world.grayling("status", "checkout").out
    assert "0/-" in world.grayling("list").out


def test_a_status_of_another_version(shop):
    strange = samples.manifest("strange")
    strange["status"] = {"phase": "Dancing"}
    shop.put(strange)
    result = shop.grayling("status", "strange")
    assert result.code == 0
    assert "Warning: shop/strange: status.phase is 'Dancing', which this engine does not know" in result.err


def test_following_without_a_terminal_prints_a_line_a_change(shop):
    status = samples.stepping()
    gone = ("/apis/grayling.dev/v1alpha1", "grayreleases", "shop", "checkout")
    back = samples.manifest(status=samples.rolled_back())
    shop.when_watched(lambda: shop.server.put(back), lambda: shop.server.remove(gone))
    result = shop.grayling("status", "checkout", "-w")
    assert result.code == 1
    assert "was deleted" in result.err
    lines = [line[9:] for line in result.out.splitlines()]
    assert lines[0] == "Stepping 2/3"
    assert "Stepping 2/3 -> RolledBack" in lines
    assert any(line.startswith("verdict bad: errors bad, canary 50%, stable 0.11%") for line in lines)
    assert status.in_flight
