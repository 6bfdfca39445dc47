"""What somebody must hear of a Flink, and what its dashboard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, Panel, gone

if TYPE_CHECKING:
    from collections.abc import Iterable

BEHIND = "flink_taskmanager_job_task_operator_pendingRecords"


def alerts(who: str, own: str, task_managers: int) -> Iterable[AlertRule]:
    """Processes that are gone."""
    yield gone("FlinkDown", f'{own},component="jobmanager"', f"{who}: no JobManager answers")
    yield gone("FlinkJobsUnkept", f'{own},component="jobs"', f"{who}: nobody starts and stops its jobs")
    fewer = f"max(flink_jobmanager_numRegisteredTaskManagers{{{own}}}) < {task_managers}"
    yield AlertRule("FlinkTaskManagersMissing", fewer, f"{who}: fewer TaskManagers than declared", "2m")


def alerts_of_jobs(who: str, own: str, lag: int, interval_s: float) -> Iterable[AlertRule]:
    """Jobs that do not run as they should; a checkpoint that fails while a job begins is none of it."""
    span = f"{max(900, round(3 * interval_s))}s"
    stands = f"min by (flink_job) (flink_declared_job_running{{{own}}}) == 0"
    yield AlertRule("FlinkJobNotRunning", stands, f"{who}: a job does not run as declared", "5m", "critical")
    again = f"max by (job_name) (increase(flink_jobmanager_job_numRestarts{{{own}}}[15m])) > 3"
    yield AlertRule("FlinkJobRestarts", again, f"{who}: a job starts again and again", "1m")
    failed = f"max by (job_name) (increase(flink_jobmanager_job_numberOfFailedCheckpoints{{{own}}}[{span}])) > 0"
    made = f"max by (job_name) (increase(flink_jobmanager_job_numberOfCompletedCheckpoints{{{own}}}[{span}])) > 0"
    yield AlertRule("FlinkCheckpointsFail", f"{failed} unless {made}", f"{who}: checkpoints of a job fail", "1m")
    behind = f"sum by (job_name) ({BEHIND}{{{own}}}) > {lag}"
    yield AlertRule("FlinkLag", behind, f"{who}: a job is over {lag} records behind", "5m")


def panels(own: str) -> tuple[Panel, ...]:
    """Jobs, records, lag, checkpoints, restarts, heap."""
    return (
        Panel("Jobs that run", f"flink_declared_job_running{{{own}}}"),
        Panel("Records in", f"sum by (job_name) (rate(flink_taskmanager_job_task_numRecordsIn{{{own}}}[1m]))", "ops"),
        Panel("Records out", f"sum by (job_name) (rate(flink_taskmanager_job_task_numRecordsOut{{{own}}}[1m]))", "ops"),
        Panel("Behind", f"sum by (job_name) ({BEHIND}{{{own}}})"),
        Panel("Last checkpoint", f"flink_jobmanager_job_lastCheckpointDuration{{{own}}}", "ms"),
        Panel("Size of checkpoints", f"flink_jobmanager_job_lastCheckpointSize{{{own}}}", "bytes"),
        Panel("Restarts", f"sum by (job_name) (flink_jobmanager_job_numRestarts{{{own}}})"),
        Panel("Heap", f"sum by (pod) (flink_taskmanager_Status_JVM_Memory_Heap_Used{{{own}}})", "bytes"),
    )
