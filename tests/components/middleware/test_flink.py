"""What a Flink is told, and what a stack file may not say of it or of its jobs."""

from __future__ import annotations

import json
import os

import pytest
import yaml

from components.middleware.flink_settings import shared_out
from components.middleware.flink_sql import as_one_job, mark, statements, topics, version
from components.model.mistakes import StackError
from components.model.pods import Resources
from components.model.quantities import megabytes
from tests.components import kind_examples
from tests.components.conftest import ROOT, read

GOLDEN = ROOT / "tests" / "components" / "middleware" / "flink.golden.json"
TABLE = "CREATE TABLE a (v STRING) WITH ('connector' = 'kafka', ${kafka})"
SQL = f"{TABLE}; INSERT INTO a SELECT v FROM a"  # noqa: S608 - nobody else's words


def declared(settings=(), **more):
    components = {"flink": {"jobs": {"copy": {"sql": SQL}}, "uses": ["kafka"], **dict(settings)}, "kafka": {}, **more}
    return read(components=components)


def objects(settings=(), **more):
    found = declared(settings, **more).manifests()
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def jobs(settings=(), **more):
    return json.loads(objects(settings, **more)["ConfigMap", "flink-jobs"]["data"]["jobs.json"])


def sql(text):
    return {"jobs": {"copy": {"sql": text}}}


MISTAKES = {
    "a setting": (sql(f"SET 'a' = 'b'; {SQL}"), "jobs.copy.sql: statement 1 (SET 'a'…) is none of CREATE TABLE"),
    "a command": (sql(f"{SQL}; DROP TABLE a"), "statement 3 (DROP TABLE…) is none of"),
    "nothing written": (sql(TABLE), "jobs.copy.sql: writes nothing; end it with INSERT INTO"),
    "only a comment": (sql("-- INSERT INTO a SELECT 1"), "writes nothing"),
    "a password": (
        sql("CREATE TABLE a (v STRING) WITH ('properties.sasl.jaas.config' = 'hidden'); INSERT INTO a SELECT 1"),
        "statement 1 has a password; name the Kafka in `uses`, and write ${kafka}",
    ),
    "a word for nothing": (sql(SQL.replace("kafka}", "redis}")), "jobs.copy.sql: ${redis} stands for nothing"),
    "half a word": (sql(SQL.replace("${kafka}", "${kafka")), "jobs.copy.sql: "),
    "no kafka": ({"uses": []}, "jobs.copy.sql: ${kafka} is the Kafka of `uses`, and there is none; name it there"),
    "no slots": (
        {"taskManagers": 1, "slots": 1, "jobs": {"copy": {"sql": SQL, "parallelism": 2}}},
        "jobs: need 2 slots together, and there are 1; raise taskManagers or slots",
    ),
    "two kafkas": ({"uses": ["kafka", "other"]}, "flink.uses"),
    "too little memory": ({"taskResources": {"cpu": "1", "memory": "256Mi"}}, "taskResources.memory"),
    "too large": (sql(f"{TABLE}; INSERT INTO a SELECT '{'x' * 500_000}'"), "jobs.copy.sql"),
    "a mode": ({"jobs": {"copy": {"sql": SQL, "state": "lose"}}}, "jobs.copy.state"),
}


@pytest.mark.parametrize(("settings", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(settings, problem):
    with pytest.raises(StackError) as caught:
        declared(settings)
    assert "grayling:components.flink" in str(caught.value)
    assert problem in str(caught.value)


def test_jobs_are_given_a_kafka_alone():
    with pytest.raises(StackError, match="uses: redis is a redis, and jobs are given a Kafka alone; leave it out"):
        declared({"uses": ["redis"]}, redis={})


def test_a_statement_ends_where_no_text_and_no_comment_is():
    told = "CREATE TABLE `a;b` (v STRING) -- one; two\n WITH ('x' = 'it''s; here'); /* ; */ INSERT INTO `a;b` SELECT 1;"
    first, second = statements(told)
    assert first.startswith("CREATE TABLE `a;b`")
    assert "'it''s; here'" in first
    assert "one" not in first
    assert second == "INSERT INTO `a;b` SELECT 1"


def test_all_that_is_written_is_one_job():
    told = as_one_job(statements(f"{SQL}; INSERT INTO a SELECT 'x'"), "'k' = 'v'")
    assert told == [
        TABLE.replace("${kafka}", "'k' = 'v'"),
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT v FROM a; INSERT INTO a SELECT 'x'; END",
    ]


def test_a_table_that_is_written_once_has_a_transaction_that_brokers_take():
    once = TABLE.replace("${kafka}", "${kafka}, 'sink.delivery-guarantee' = 'exactly-once'")
    (made, _) = as_one_job(statements(f"{once}; INSERT INTO a SELECT 'x'"), "'k' = 'v'")
    assert "'k' = 'v', 'properties.transaction.timeout.ms' = '900000', 'sink" in made
    own = once.replace("${kafka}", "${kafka}, 'properties.transaction.timeout.ms' = '60000'")
    (made, _) = as_one_job(statements(f"{own}; INSERT INTO a SELECT 'x'"), "'k' = 'v'")
    assert made.count("timeout") == 1


def test_a_job_is_another_when_it_says_something_else():
    assert version(["a"], 1) == version(["a"], 1)
    assert len({version(["a"], 1), version(["b"], 1), version(["a"], 2)}) == 3
    assert mark("a") != mark("b")
    assert {len(mark("a")), len(version(["a"], 1))} == {16, 8}


def test_the_password_of_its_account_is_in_no_file():
    found = objects(kafka={"tls": {}})
    (told,) = jobs(kafka={"tls": {}}).values()
    assert "'properties.security.protocol' = 'SASL_SSL'" in told["statements"][0]
    assert "'properties.ssl.truststore.location' = '/etc/grayling/ca/kafka/ca.crt'" in told["statements"][0]
    assert "password" not in json.dumps(told)
    for part, kind in (("jobmanager", "StatefulSet"), ("taskmanager", "Deployment")):
        (container,) = found[kind, f"flink-{part}"]["spec"]["template"]["spec"]["containers"]
        env = {each["name"]: each for each in container["env"]}
        assert env["KAFKA_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "kafka-flink-auth"
    gateway = found["StatefulSet", "flink-jobs"]["spec"]["template"]["spec"]["containers"][0]
    assert "KAFKA_PASSWORD" not in {each["name"] for each in gateway["env"]}


def test_all_its_pods_reach_the_kafka_and_nobody_else_reaches_them():
    found = objects()
    let_in = found["NetworkPolicy", "kafka-broker"]["spec"]["ingress"]
    (pods,) = [rule["from"][0]["podSelector"]["matchLabels"] for rule in let_in if "flink" in json.dumps(rule)]
    assert pods == {"app.kubernetes.io/name": "flink", "app.kubernetes.io/instance": "flink"}
    for part in ("jobmanager", "taskmanager"):
        out = json.dumps(found["NetworkPolicy", f"flink-{part}"]["spec"]["egress"])
        assert '"app.kubernetes.io/component": "broker"' in out
    for rule in found["NetworkPolicy", "flink-jobmanager"]["spec"]["ingress"]:
        assert [each["podSelector"]["matchLabels"] for each in rule["from"]] == [pods]


@pytest.mark.parametrize("memory", ["640Mi", "768Mi", "2Gi", "16Gi"])
def test_the_parts_of_its_memory_fit_together(memory):
    parts = shared_out(Resources("1", memory))
    given = parts.metaspace + parts.overhead + parts.managed + parts.direct + parts.heap
    assert given <= megabytes(memory) < given + 16
    assert parts.heap >= 240


def test_a_change_of_a_job_leaves_job_manager_and_task_managers_alone():
    def templates(settings):
        found = objects(settings)
        return {
            part: found[kind, f"flink-{part}"]["spec"]["template"]
            for part, kind in (("jobmanager", "StatefulSet"), ("taskmanager", "Deployment"), ("jobs", "StatefulSet"))
        }

    before, after = templates({}), templates(sql(f"{TABLE}; INSERT INTO a SELECT 'x'"))
    assert {part for part in before if before[part] != after[part]} == {"jobs"}


def test_the_volume_is_of_all_pods_unless_there_is_one_node():
    assert objects()["PersistentVolumeClaim", "flink-state"]["spec"]["accessModes"] == ["ReadWriteMany"]
    alone = objects({"accessMode": "ReadWriteOnce"})["PersistentVolumeClaim", "flink-state"]
    assert alone["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_its_files_are_as_they_were():
    """After a change that is meant: GOLDEN=write, and read the diff."""
    found = kind_examples.declared("flink", "production").manifests()
    files = {each["metadata"]["name"]: each["data"] for each in found if each["kind"] == "ConfigMap"}
    config, gateway = files["flink-config"]["config.yaml"], files["flink-jobs"]["gateway.yaml"]
    told = {
        "config": yaml.safe_load(config),
        "gateway": yaml.safe_load(gateway),
        "jobs": json.loads(files["flink-jobs"]["jobs.json"]),
    }
    text = json.dumps(told, indent=1) + "\n"
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "run with GOLDEN=write if the change is meant"


def test_topics_of_a_job_are_told_apart_by_what_is_written():
    made = """
    CREATE TABLE `one` (v STRING) WITH ('connector' = 'kafka', 'topic' = 'first', ${kafka});
    create temporary table two (v STRING) with ('connector' = 'kafka', 'topic' = 'second', ${kafka});
    CREATE TABLE theirs (v STRING) WITH ('connector' = 'kafka', 'topic' = 'elsewhere');
    CREATE TABLE page (v STRING) WITH ('connector' = 'print');
    CREATE TABLE out (v STRING) WITH (${kafka}, 'topic' = 'last');
    INSERT INTO `out` SELECT one.v FROM one JOIN two ON one.v = two.v;
    INSERT INTO page SELECT v FROM theirs;
    """
    assert topics(made) == (["first", "second"], ["last"])
