"""The private names of Dagster that this project needs, all of them: no other module may import one.

A release of Dagster may move one without notice. Then this module says which, and what has to be done instead.
"""

from typing import TYPE_CHECKING

import dagster as dg

# A check or an asset that a run has planned and not made shows as failed. The newest plan decides, and no public
# function reports one that belongs to no run.
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned

# An executor is public to choose and not to write: this is what it asks of a job, and below are its arguments' types.
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements

# How the job of a run is handed on to what executes its steps.
from dagster._core.definitions.reconstruct import ReconstructableJob

# An output with this metadata gets no event. Public steps have either an event or no output, and without an output what
# needs the step does not run.
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

# The type of what the public `define_asset_job` returns.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

# A run that somebody ends is told from one that fails by this exception alone.
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import AssetMaterializationPlannedData, RunFailureReason

# How what a step prints comes to the terminal, which no setting chooses.
from dagster._core.execution import compute_logs

# A step in the process of its run, which Dagster's executor of separate processes offers for none of its steps.
from dagster._core.execution.api import create_execution_plan, execute_plan_iterator
from dagster._core.execution.context.system import IStepContext, PlanOrchestrationContext

# What a step does while it waits for its pool is in here, and cannot be chosen.
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext

# The type of what the public event of a failed step says in `user_failure_data`.
from dagster._core.execution.plan.objects import UserFailureData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.executor import in_process, multiprocess

# The error of a step whose process was killed.
from dagster._core.executor.child_process_executor import ChildProcessCrashException

# The run of events that belong to none.
from dagster._core.instance import RUNLESS_RUN_ID

# `assign_pending_steps`, which calls the next step of a pool's queue, is in this store and not in what all stores have.
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

# Where the engines of the files of the history are made, one for every event; no setting changes that.
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

# The tags by which the daemon says why a run failed, and that it will try it again.
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG, WILL_RETRY_TAG
from dagster._core.workspace.load_target import ModuleTarget

# The type of what the public event log says of a pool.
from dagster._utils.concurrency import ConcurrencyKeyInfo

# A signal that came while Dagster holds signals back, which a loop of our own would not see otherwise.
from dagster._utils.interrupts import check_captured_interrupt

# The log format that the daemon has a public option for, and a program around the webserver has not.
from dagster._utils.log import configure_loggers

if TYPE_CHECKING:
    from dagster._core.workspace.context import WorkspaceProcessContext

__all__ = [
    "RUNLESS_RUN_ID",
    "RUN_FAILURE_REASON_TAG",
    "SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION",
    "WILL_RETRY_TAG",
    "AssetCheckEvaluationPlanned",
    "AssetMaterializationPlannedData",
    "ChildProcessCrashException",
    "ConcurrencyKeyInfo",
    "DagsterExecutionInterruptedError",
    "ExecutionPlan",
    "ExecutionStep",
    "IStepContext",
    "InstanceConcurrencyContext",
    "KnownExecutionState",
    "PlanOrchestrationContext",
    "ReconstructableJob",
    "RetryMode",
    "RunFailureReason",
    "SqlEventLogStorage",
    "StepDependencyConfig",
    "UnresolvedAssetJobDefinition",
    "UserFailureData",
    "check_captured_interrupt",
    "compute_logs",
    "configure_loggers",
    "create_execution_plan",
    "execute_plan_iterator",
    "in_process",
    "multiple_process_executor_requirements",
    "multiprocess",
    "sqlite_event_log",
    "sqlite_run_storage",
    "sqlite_schedule_storage",
    "workspace_of",
]


def workspace_of(instance: dg.DagsterInstance, module: str, version: str) -> "WorkspaceProcessContext":
    """What the webserver shows of ``instance``: the graph in ``module``, loaded in a code server of its own.

    The webserver's command makes it from its arguments, and there is no public function that does.

    Args:
        instance: the instance.
        module: of the definitions.
        version: of the webserver.
    """
    # Only the webserver waits for this import.
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: PLC0415

    # As `dagster-daemon run -m` names it: what is switched on and off is noted under the name of the location.
    target = ModuleTarget(module, attribute=None, working_directory=None, location_name=None)
    return WorkspaceProcessContext(instance, target, version=version, code_server_log_level="WARNING")
