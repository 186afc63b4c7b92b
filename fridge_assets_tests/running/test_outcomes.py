"""What a run did, read from the events of real runs."""

import dagster as dg

from fridge_assets.running.outcomes import RunOutcome, outcome_of
from fridge_assets.steps.results import NOT_TOLD


@dg.op
def good() -> None:
    pass


@dg.op
def bad() -> None:
    raise dg.Failure("it broke", allow_retries=False)


@dg.op(ins={"before": dg.In(dg.Nothing)})
def later() -> None:
    pass


@dg.job(executor_def=dg.in_process_executor)
def whole() -> None:
    later(good())


@dg.job(executor_def=dg.in_process_executor)
def broken() -> None:
    good()
    later(bad())


@dg.asset(check_specs=[dg.AssetCheckSpec("loud", asset="watched"), dg.AssetCheckSpec("quiet", asset="watched")])
def watched() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster wants the checks in it
    return dg.MaterializeResult(
        metadata={"rows": 3},
        check_results=[
            dg.AssetCheckResult(passed=False, check_name="loud", description="too few"),
            dg.AssetCheckResult(passed=False, check_name="quiet", metadata={NOT_TOLD: True}),
        ],
    )


def outcome(job: dg.JobDefinition) -> RunOutcome:
    done = job.execute_in_process(raise_on_error=False)
    return outcome_of(job.name, done.run_id, done.all_events)


def test_what_succeeded_is_every_step_and_the_job_itself() -> None:
    assert outcome(whole).succeeded == {"good", "later", "whole"}


def test_a_step_that_could_not_run_has_neither_succeeded_nor_failed_and_the_job_has_not_succeeded() -> None:
    found = outcome(broken)
    assert (found.succeeded, found.failures) == ({"good"}, {"bad": "it broke"})
    assert not found.success


def test_a_check_that_is_told_elsewhere_says_so() -> None:
    graph = dg.Definitions(assets=[watched], jobs=[dg.define_asset_job("watch", executor_def=dg.in_process_executor)])
    found = outcome(graph.resolve_job_def("watch"))
    assert {(check.name, check.passed, check.said, check.told) for check in found.checks} == {
        ("loud", False, "too few", True),
        ("quiet", False, "", False),
    }
    assert found.metadata == {"watched": {"rows": 3}}
