"""For every table and every folder: how long it is kept, or that it is kept for ever, and why.

Whoever adds a table or a folder decides here; a test compares these tables with what really exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from fridge_assets.models.families import FAMILIES
from fridge_assets.scoring.score import scores_table
from fridge_assets.settings import RetentionSettings


@dataclass(frozen=True)
class Policy:
    """How long something is kept.

    Args:
        setting: field of the settings group ``retention``; empty for what is kept for ever.
        why: the reason, for whoever wants to change it.
        age_column: column that tells the age of a row which is removed by its age alone; empty where there is more to
            it, and for folders.
    """

    setting: str
    why: str
    age_column: str = ""

    def kept_for(self, settings: RetentionSettings) -> timedelta | None:
        """The span; None for ever."""
        if not self.setting:
            return None
        span: timedelta = getattr(settings, self.setting)
        return span


_SCORES = Policy("scores", "training leaves out what was flagged in the weeks that it looks back", "window_end")
_CURRENT = "one row per device or site, replaced: the present"

WAREHOUSE_TABLES: Mapping[str, Policy] = {
    "clean_reading_files": Policy("clean_readings", "the manifest goes with the Parquet files that it names"),
    "repeated_events": Policy("clean_readings", "says something of clean readings", "timestamp_utc"),
    "due_windows": Policy("clean_readings", "a window without readings cannot be computed any more", "window_start"),
    "quarantined_readings": Policy("quarantined", "time enough to mend the sender and deliver again", "quarantined_at"),
    "device_features": Policy("features", "training looks back four weeks and drift is held against it", "window_end"),
    "model_scores": _SCORES,
    **{scores_table(family): _SCORES for family in FAMILIES},
    "score_comparisons": Policy("scores", "what was expected goes with the scores that it explains", "window_end"),
    "score_runs": Policy("scores", "coverage and age of scores that are kept", "window_end"),
    "withheld_scores": Policy("withheld", "read when a model was paused, and not after", "window_end"),
    "canary_scores": Policy("canary", "what was compared before a release is asked for months later", "window_end"),
    "canary_reports": Policy("canary", "the proof behind a release", "window_end"),
    "model_monitoring": Policy("monitoring", "a season can be held against the one a year before", "window_end"),
    "alert_quality": Policy("monitoring", "a season can be held against the one a year before", "computed_at"),
    "rules_based_fallback": Policy("fallback", "as long as the scores that it stood in for", "window_end"),
    "ingest_batches": Policy("ledger", "goes with the ledger: a name that only one of them knows cannot be used again"),
    "device_last_seen": Policy("", _CURRENT),
    "device_first_seen": Policy("", "which sensors a device has, however long ago it sent them first"),
    "device_status": Policy("", _CURRENT),
    "site_status": Policy("", _CURRENT),
    "warehouse_schema": Policy("", "the version of the tables themselves"),
}

OPERATIONS_TABLES: Mapping[str, Policy] = {
    "incidents": Policy("alerts", "a season of incidents beside the one a year before; open ones stay"),
    "incident_events": Policy("alerts", "the events of an incident go with it"),
    "alert_evidence": Policy("alerts", "the evidence of an incident goes with it"),
    "work_orders": Policy("alerts", "the order of an incident goes with it"),
    "label_events": Policy("", "what people said of incidents is the only label there is: one small row each"),
    "status_due": Policy("", "until device and site status show the event"),
    "outbox": Policy("messages", "what people were told; pending messages stay"),
    "outbox_subjects": Policy("messages", "which incidents a message is about goes with it"),
    "incident_groups": Policy("alerts", "times in which many devices were told of as one, as long as incidents"),
    "silences": Policy("alerts", "who held which alerts, as long as these are there"),
    "ingest_ledger": Policy("ledger", "a landing file that is not in it is ingested; entries of files stay"),
    "deployment_decisions": Policy("", "which version scored a device at a moment has an answer for ever"),
    "watched_states": Policy("", "one row per thing that is watched; without it a change would be told again"),
    "outbox_deliveries": Policy("messages", "what became of a message at each destination goes with it"),
    "outbox_routes": Policy("", "one row per channel and destination"),
    "score_ages": Policy("", "one row per family, replaced"),
    "pulse": Policy("", "one row per program, replaced"),
    "stream_positions": Policy("", "one row per part of the stream's source, replaced"),
    "stream_files": Policy("ledger", "a landing file that is not in it is streamed; entries of files stay"),
    "stream_status": Policy("runs", "one row per streaming process; those that are gone are forgotten"),
    "threshold_history": Policy("", "which threshold an alert was raised by has an answer for ever"),
    "alembic_version": Policy("", "the version of the tables themselves"),
}

FOLDERS: Mapping[str, Policy] = {
    "landing": Policy("landing", "ingested files, to be able to ingest them again; refused ones wait for a person"),
    "sources": Policy("", "yours"),
    "warehouse/clean_sensor_readings": Policy(
        "clean_readings", "features can be computed again, and cases looked into"
    ),
    "warehouse/spill": Policy("leftovers", "what DuckDB swaps out; only a killed program leaves it there"),
    "published": Policy("", "one file per dataset, replaced"),
    "work_orders": Policy("alerts", "one file per order, replaced, as long as its alert unless somebody takes it away"),
    "streaming": Policy("", "the checkpoint of the stream, replaced"),
    "streaming/dead_letters": Policy("dead_letters", "time enough to mend the sender"),
    "models/artifacts": Policy("models", "a version that may still score needs its files; its entry stays in MLflow"),
    "models/training": Policy("models", "training rows go with the last version that was trained on them"),
    "models/battery": Policy("", "simulated machines that candidates are tried on, replaced, and small results"),
    "dagster/history": Policy("runs", "runs and their events; deleted through Dagster"),
    "dagster/storage": Policy("runs", "what the steps of a run printed"),
    "dagster/logs": Policy("runs", "as long as the runs that they are about"),
    "dagster/launches": Policy("leftovers", "a lock per program that runs a job; only a killed one leaves it there"),
    "replays": Policy("leftovers", "a folder per replay that is under way; only a killed one leaves it there"),
    "dagster/services": Policy("", "what the webserver and the daemon of `ui` have said lately, in three small files"),
    "dagster/schedules": Policy("", "ticks; Dagster purges them by `retention` in dagster.yaml"),
}
"""By path below the data folder; what is inside such a folder belongs to it."""

FILES: Mapping[str, Policy] = {
    "warehouse.duckdb": Policy("", "the tables above; DuckDB uses the space of removed rows again"),
    "operations.db": Policy("", "the tables above; SQLite uses the space of removed rows again"),
    "mlflow.db": Policy("", "the entry of every version there was"),
    "device_registry.csv": Policy("", "yours"),
    "device_registry.parquet": Policy("", "yours"),
    "sensor_ranges.toml": Policy("", "yours"),
    "causes.toml": Policy("", "yours"),
    "ground_truth.parquet": Policy("", "what a simulation knows of its faults"),
    "ground_truth_states.parquet": Policy("", "what a simulation knows of what its machines do"),
    "dagster/dagster.yaml": Policy("", "settings of the Dagster instance, yours to edit"),
}
"""By path below the data folder, without the write-ahead logs that databases keep beside them."""
