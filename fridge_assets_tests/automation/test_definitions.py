"""The asset graph as a whole: what hangs on what, who owns it, how fresh it must be (DESIGN 1, SPEC 4)."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from fridge_assets.automation.jobs import SCORE_JOBS
from fridge_assets.definitions import build_definitions
from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.settings import Settings
from fridge_assets.steps.results import code_version

PROJECT = Path(__file__).parents[2]
SCORES = {f"{family}_scores" for family in FAMILIES}
HOURLY_SCORES = {f"{family}_scores" for family in HOURLY_FAMILIES}
MODELS = {f"{family}_model" for family in FAMILIES}
EDGES: dict[str, set[str]] = {
    "sensor_readings": set(),
    "device_registry": set(),
    "label_events": set(),
    "clean_sensor_readings": {"sensor_readings", "device_registry"},
    "quarantined_readings": {"sensor_readings", "device_registry"},
    "device_features": {"clean_sensor_readings"},
    **{f"{family}_model": {"device_features", "device_registry", "label_events"} for family in FAMILIES},
    **{f"{family}_scores": {"device_features", "device_registry", f"{family}_model"} for family in FAMILIES},
    "model_scores": SCORES,
    "canary_scores": {"device_features", "device_registry", *MODELS},
    "canary_reports": {"canary_scores", "label_events"},
    "rules_based_fallback": {"device_features", "device_registry"},
    "model_monitoring": {"model_scores", "device_features"},
    "acute_thresholds": {"statistical_baseline_model", "device_registry"},
    "streaming_alerts": {"sensor_readings", "device_registry", "acute_thresholds"},
    "device_alerts": {"model_scores", "rules_based_fallback", "streaming_alerts", "device_registry"},
    "alert_quality": {"device_alerts", "label_events", "model_scores"},
    "device_status": {"device_alerts"},
    "site_status": {"device_alerts"},
}
"""Asset → what it is made of."""

EXTERNAL = {"sensor_readings", "device_registry", "streaming_alerts", "label_events"}
ONE_HOUR, TWO_HOURS, FOUR_HOURS, A_DAY, A_DAY_LATE = (timedelta(hours=hours) for hours in (1, 2, 4, 25, 26))
FRESHNESS: dict[str, tuple[timedelta, timedelta]] = {
    **dict.fromkeys({"device_features", "model_scores", "device_alerts", *HOURLY_SCORES}, (ONE_HOUR, TWO_HOURS)),
    **dict.fromkeys(SCORES - HOURLY_SCORES, (A_DAY, A_DAY_LATE)),
    **dict.fromkeys(("device_status", "site_status"), (TWO_HOURS, FOUR_HOURS)),
    "streaming_alerts": (timedelta(minutes=2), timedelta(minutes=5)),
}
"""Asset → age that warns, age that fails."""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(Settings(data_dir=tmp_path_factory.mktemp("graph")))


@pytest.fixture(scope="module")
def specs(graph: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in graph.resolve_all_asset_specs()}


def test_the_graph_has_these_assets_and_edges(specs: dict[str, dg.AssetSpec]) -> None:
    found = {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in specs.items()}
    assert found == EDGES


def test_every_asset_says_what_it_is_where_it_belongs_and_who_owns_it(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        assert spec.group_name not in (None, "default"), name
        assert spec.kinds, name
        assert spec.owners, name
        assert len(spec.description or "") > 20, name


def test_every_computed_asset_says_which_code_makes_it(specs: dict[str, dg.AssetSpec]) -> None:
    assert {name for name, spec in specs.items() if spec.code_version is None} == EXTERNAL
    assert specs["device_features"].code_version == code_version("features") != code_version("readings")
    assert specs["device_status"].code_version == code_version("status")
    with pytest.raises(FileNotFoundError, match="has no sources"):
        code_version("a room that was renamed")


def test_columns_come_from_assets_that_the_graph_has_before_theirs(specs: dict[str, dg.AssetSpec]) -> None:
    with_lineage = {name for name, spec in specs.items() if "dagster/column_lineage" in spec.metadata}
    assert with_lineage == {
        *SCORES, "clean_sensor_readings", "quarantined_readings", "device_features", "model_scores", "canary_scores",
        "rules_based_fallback", "device_alerts", "device_status", "site_status",
    }  # fmt: skip
    for name in with_lineage:
        lineage: dg.TableColumnLineage = specs[name].metadata["dagster/column_lineage"]
        sources = {dep.asset_key.to_user_string() for deps in lineage.deps_by_column.values() for dep in deps}
        siblings = {"device_status"} if name == "site_status" else set()
        assert sources <= ancestors(name) | siblings, name


def ancestors(name: str) -> set[str]:
    """Assets that ``name`` is made of, and those that they are made of."""
    return EDGES[name].union(*(ancestors(above) for above in EDGES[name]))


def test_every_computed_asset_runs_alone_in_its_pool(graph: dg.Definitions) -> None:
    for definition in graph.resolve_asset_graph().assets_defs:
        if definition.is_executable:
            assert definition.op.pool, definition.keys


def test_every_stored_dataset_carries_the_check_of_its_contract(graph: dg.Definitions) -> None:
    checked = {
        key.asset_key.to_user_string() for key in graph.resolve_asset_graph().asset_check_keys if key.name == "contract"
    }
    assert checked == EDGES.keys() - EXTERNAL - MODELS - {"model_scores", "acute_thresholds"}


def test_freshness_policies_encode_the_staleness_tiers(specs: dict[str, dg.AssetSpec]) -> None:
    found = {
        name: (spec.freshness_policy.warn_window.to_timedelta(), spec.freshness_policy.fail_window.to_timedelta())
        for name, spec in specs.items()
        if spec.freshness_policy is not None
    }
    assert found == FRESHNESS


def test_other_tiers_in_the_settings_give_other_policies(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "staleness": {"stale": "PT10M", "very_stale": "PT20M"}})
    spec = build_definitions(settings).resolve_asset_graph().get(dg.AssetKey("model_scores"))
    assert spec.freshness_policy.warn_window.to_timedelta() == timedelta(minutes=10)
    assert spec.freshness_policy.fail_window.to_timedelta() == timedelta(minutes=20)


def test_each_job_scores_or_publishes_and_never_both(graph: dg.Definitions) -> None:
    published = {"model_scores", "device_alerts", "device_status", "site_status"}
    assert _assets_of(graph, "publish") == published
    for job in SCORE_JOBS:
        assert not _assets_of(graph, job.name) & published
    features = {"clean_sensor_readings", "quarantined_readings", "device_features"}
    assert _assets_of(graph, "score_hourly") == features | HOURLY_SCORES
    assert _assets_of(graph, "score_daily") == features | SCORES
    assert _assets_of(graph, "train") == features | MODELS
    weekly, monthly = _assets_of(graph, "train_weekly") - features, _assets_of(graph, "train_monthly") - features
    assert weekly == {f"{family}_model" for family in HOURLY_FAMILIES}
    assert monthly == MODELS - weekly
    assert _assets_of(graph, "monitor") == {"model_monitoring"}
    alerting = published - {"model_scores"}
    assert _assets_of(graph, "fallback") == features | {"rules_based_fallback"} | alerting
    assert _assets_of(graph, "assess_alerts") == {"alert_quality"}
    assert _assets_of(graph, "canary") == {"canary_scores", "canary_reports"}
    for family in FAMILIES:
        assert _assets_of(graph, f"score_{family}") == {f"{family}_scores"}


def test_models_that_score_in_one_run_have_processes_of_their_own(graph: dg.Definitions) -> None:
    for job in ("score_hourly", "score_daily"):
        assert graph.resolve_job_def(job).executor_def.name == "separate_processes"
    one_step = {f"score_{family}" for family in FAMILIES} | {"publish", "fallback", "monitor"}
    assert {graph.resolve_job_def(job).executor_def.name for job in one_step} == {"one_process"}


def test_every_run_that_is_killed_can_be_told_from_one_that_goes_on(graph: dg.Definitions) -> None:
    """By the executor, which holds a lock for the run; also of runs that somebody starts from an asset in the UI."""
    jobs = graph.get_repository_def().get_all_jobs()
    others = {job.name for job in jobs if job.executor_def.name not in ("one_process", "separate_processes")}
    assert {job.name for job in jobs} > {"__ASSET_JOB", "take_in_readings", "retention"}
    assert others == set()


def test_the_groups_of_assets_follow_each_other_as_data_flows(specs: dict[str, dg.AssetSpec]) -> None:
    group = {name: spec.group_name for name, spec in specs.items()}
    before: dict[str | None, set[str | None]] = {name: set() for name in group.values()}
    for name, sources in EDGES.items():
        before[group[name]] |= {group[source] for source in sources} - {group[name]}
    order = list(TopologicalSorter(before).static_order())  # raises where two groups feed each other
    for first, then in pairwise(["readings", "features", "models", "scores", "alerts", "fleet"]):
        assert order.index(first) < order.index(then)
    assert "alerts" not in before["models"] | before["scores"]


def test_all_schedules_and_sensors_stand_in_two_files() -> None:
    defining = re.compile(r"\bdg\.(?:\w+_)?(?:sensor|schedule)\(|\b(?:Sensor|Schedule)Definition\(|AutomationCondition")
    package = PROJECT / "fridge_assets"
    found = {str(path.relative_to(package)) for path in package.rglob("*.py") if defining.search(path.read_text())}
    assert found == {"automation/schedules.py", "automation/sensors.py"}


def test_what_people_start_stands_together_in_the_list_of_jobs(graph: dg.Definitions) -> None:
    jobs = sorted(
        (graph.resolve_job_def(job.name) for job in graph.resolve_all_job_defs() if not job.name.startswith("__")),
        key=lambda job: job.name,
    )
    started_by = [job.tags["fridge/started_by"] for job in jobs]
    people = started_by.count("people")
    assert people == 10
    assert started_by == ["people"] * people + ["pipeline"] * (len(jobs) - people)


def test_the_launchpad_offers_what_a_person_may_decide(graph: dg.Definitions) -> None:
    for job in graph.resolve_all_job_defs():
        offered = _fields(job.run_config_schema.config_type)
        offered.pop("execution", None)
        offered.pop("loggers", None)
        if job.tags.get("fridge/started_by") == "people":
            assert {"alert", "family", "silence", "reason"} & offered.keys(), job.name
            assert not {"ops", "resources"} & offered.keys(), job.name
            continue
        resources = offered.pop("resources")
        choices = {name: _fields(_fields(part)["config"]) for name, part in _fields(resources).items()}
        assert {name: fields.keys() for name, fields in choices.items() if fields} == {"clock": {"as_of"}}, job.name


def test_steps_have_the_names_of_what_they_do(graph: dg.Definitions) -> None:
    (step,) = graph.resolve_job_def("action_add_silence").nodes
    assert step.name == "add_silence"


def test_dagsters_own_check_finds_nothing_wrong(tmp_path: Path) -> None:
    environment = {**os.environ, "FRIDGE_DATA_DIR": str(tmp_path), "DAGSTER_DG_CLI_TELEMETRY": "false"}
    command = [str(Path(sys.executable).with_name("dg")), "check", "defs"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All definitions loaded successfully" in done.stdout + done.stderr


def _assets_of(graph: dg.Definitions, job: str) -> set[str]:
    return {key.to_user_string() for key in graph.resolve_job_def(job).asset_layer.executable_asset_keys}


def _fields(kind: object) -> dict[str, object]:
    """The fields of a part of a run config schema; none where it has no parts."""
    fields = getattr(getattr(kind, "config_type", kind), "fields", None) or {}
    return dict(fields)
