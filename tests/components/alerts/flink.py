from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner

COMPONENT = {"taskManagers": 2}
MODES = [
    {},
    {"taskManagers": 2, "accessMode": "ReadWriteOnce"},
    {
        "uses": ["kafka"],
        "jobs": {"copy": {"sql": "CREATE TABLE a (v STRING) WITH (${kafka}); INSERT INTO a SELECT v FROM a"}},
    },
]
WELL = dict(
    [
        of("flink", "up", "1+0", component="jobmanager"),
        of("flink", "up", "1+0", "1", component="jobs"),
        of("flink", "flink_jobmanager_numRegisteredTaskManagers", "2+0"),
        of("flink", "flink_declared_job_running", "1+0", flink_job="copy"),
        of("flink", "flink_jobmanager_job_numRestarts", "2+0", job_name="copy"),
        of("flink", "flink_jobmanager_job_numberOfFailedCheckpoints", "1+0", job_name="copy"),
        of("flink", "flink_jobmanager_job_numberOfCompletedCheckpoints", "5+1", job_name="copy"),
        of("flink", "flink_taskmanager_job_task_operator_pendingRecords", "10+0", job_name="copy"),
    ]
)
_MANAGER = 'up{namespace="shop",instance_name="flink",pod="flink-0"'
_KEEPER = 'up{namespace="shop",instance_name="flink",pod="flink-1"'
CASES = {
    "FlinkDown": [
        Fault({_MANAGER: None}, owner("flink", component="jobmanager")),
        Fault({_MANAGER: "0+0"}),
    ],
    "FlinkJobsUnkept": [
        Fault({_KEEPER: None}, owner("flink", component="jobs")),
        Fault({_KEEPER: "0+0"}),
    ],
    "FlinkTaskManagersMissing": [Fault({"flink_jobmanager_numRegisteredTaskManagers": "1+0"})],
    "FlinkJobNotRunning": [Fault({"flink_declared_job_running": "0+0"}, {"flink_job": "copy"})],
    "FlinkJobRestarts": [Fault({"flink_jobmanager_job_numRestarts": "2+1"}, {"job_name": "copy"})],
    "FlinkCheckpointsFail": [
        Fault(
            {
                "flink_jobmanager_job_numberOfFailedCheckpoints": "2+1",
                "flink_jobmanager_job_numberOfCompletedCheckpoints": "125+0",
            },
            {"job_name": "copy"},
        )
    ],
    "FlinkLag": [Fault({"flink_taskmanager_job_task_operator_pendingRecords": "20000+0"}, {"job_name": "copy"})],
}
