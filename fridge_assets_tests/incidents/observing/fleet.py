"""A fleet small enough to read: scores of hourly windows, and the alerts they lead to."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
import sqlalchemy as sa

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.core.identity import deterministic_id
from fridge_assets.diagnosis.causes import built_in
from fridge_assets.incidents.known import newest_incidents
from fridge_assets.incidents.observations import Observed
from fridge_assets.incidents.observing.inputs import AlertInputs
from fridge_assets.incidents.observing.observed import RunSource, observed_in
from fridge_assets.incidents.state import Incident
from fridge_assets.incidents.store import Outcome, observe, watch
from fridge_assets.incidents.together import Fleet as Sites
from fridge_assets.scoring.comparisons import no_comparisons
from fridge_assets.settings import IncidentSettings
from fridge_assets.stores.operations import Operations, incident_events, incidents
from fridge_assets_tests.incidents.observing.stored import stored_alerts

EPOCH = pd.Timestamp("2026-06-01T00:00:00Z")
SETTINGS = IncidentSettings()
FOREST, BASELINE = "isolation_forest_v2", "statistical_baseline_v1"
NO_GROUPS = Sites({})
LOW_SIDE, SUPERHEAT = "pressure_low_mean", "superheat_mean"


def window(hour: float) -> pd.Timestamp:
    """End of the window of ``hour``."""
    return EPOCH + pd.Timedelta(hours=hour)


def run_time(hour: float) -> datetime:
    """When the run of the window of ``hour`` makes its alerts."""
    return (window(hour) + timedelta(minutes=4)).to_pydatetime()


def score(
    device: str, hour: float, value: float, model: str = FOREST, contributors: Sequence[str] = (LOW_SIDE,)
) -> dict[str, object]:
    """One MODEL_SCORES row, flagged above 0.60."""
    return {
        "score_id": deterministic_id(device, hour, model),
        "device_id": device,
        "window_start": window(hour) - pd.Timedelta(minutes=15),
        "window_end": window(hour),
        "model_id": model,
        "model_version": "2.0.0",
        "granularity": "fleet",
        "anomaly_score": value,
        "anomaly_flag": value > 0.60,
        "threshold_used": 0.60,
        "top_contributors": list(contributors),
        "contributor_scores": [1.0] * len(contributors),
        "scored_at": window(hour) + pd.Timedelta(minutes=3),
        "sensor_completeness": 1.0,
    }


def frame(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Score rows as a MODEL_SCORES frame."""
    if not rows:
        return MODEL_SCORES.empty().assign(provisional="")
    scores = MODEL_SCORES.to_arrow(pd.DataFrame(rows)).to_pandas()
    carried = [row.get("carried_from") for row in rows]
    return scores.assign(
        carried_from=pd.Series(carried, index=scores.index, dtype="datetime64[us, UTC]"),
        provisional=pd.Series([row.get("provisional", "") for row in rows], index=scores.index, dtype="str"),
    )


class Fleet:
    """Runs windows one after another, and keeps what they lead to in a real store."""

    def __init__(self, operations: Operations, settings: IncidentSettings = SETTINGS) -> None:
        self.operations, self.settings = operations, settings
        self.history = pd.DataFrame(
            {"device_id": [], "window_end": pd.Series([], dtype="datetime64[us, UTC]"), "flagged": []}
        )

    def observed(self, *rows: dict[str, object], source: RunSource = "models") -> list[Observed]:
        """What a run on the rows' window would observe, given what is stored."""
        scores = frame(rows)
        with self.operations.read() as connection:
            devices = set(connection.scalars(sa.select(incidents.c.device_id)))
            found, newest = newest_incidents(connection, devices)
        inputs = AlertInputs(
            scores,
            self.history[self.history["window_end"] < scores["window_end"].max()],
            features=pd.DataFrame({"device_id": ["d1"], LOW_SIDE: [141.0], SUPERHEAT: [15.0]}),
            typical=pd.DataFrame({"device_id": ["d1"], LOW_SIDE: [196.0], SUPERHEAT: [8.0]}),
            comparisons=no_comparisons(),
        )
        known = {device: found[identity] for device, identity in newest.items()}
        registry = pd.DataFrame({"device_id": ["d1", "d2", "d3"], "site_id": ["s1", "s1", "s2"]})
        return observed_in(inputs, source, known, registry, built_in(), self.settings, "")

    def run(self, *rows: dict[str, object], now: datetime | None = None, source: RunSource = "models") -> Outcome:
        """Decide about the rows' window, and store it; what was due by then is recorded before it."""
        scores = frame(rows)
        end = scores["window_end"].max()
        moment = run_time((end - EPOCH) / pd.Timedelta(hours=1)) if now is None else now
        self.watch(moment)
        observed = self.observed(*rows, source=source)
        with self.operations.transaction() as connection:
            outcome = observe(connection, observed, NO_GROUPS, moment, self.settings)
        flags = scores.groupby(["device_id", "window_end"], as_index=False)["anomaly_flag"].any()
        flags = flags.rename(columns={"anomaly_flag": "flagged"})
        kept = self.history[self.history["window_end"] != end]
        self.history = pd.concat([kept, flags], ignore_index=True) if len(kept) else flags
        return outcome

    def watch(self, now: datetime) -> None:
        """Somebody looks at the deadlines."""
        watch(self.operations, now, self.settings)

    @property
    def alerts(self) -> pd.DataFrame:
        """DEVICE_ALERTS rows by window and device."""
        return stored_alerts(self.operations)

    def incident(self, device: str = "d1") -> Incident:
        """The newest incident of a device."""
        with self.operations.read() as connection:
            found, newest = newest_incidents(connection, [device])
        return found[newest[device]]

    def events(self, device: str = "d1") -> list[str]:
        """What happened to the newest incident of a device, in its order."""
        columns = incident_events.c
        own = sa.select(columns.action).where(columns.incident_id == self.incident(device).incident_id)
        with self.operations.read() as connection:
            return list(connection.scalars(own.order_by(columns.revision)))
