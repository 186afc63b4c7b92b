"""The people of the simulated week: one operator at a time, and technicians who find out what was real.

The operator looks at what is told, the most urgent first, and needs ten minutes for each alert, as the alert budget
says. A technician looks at the device four hours later. Where the device has no fault the alert is marked as a false
positive; where it has, work is started, and resolved at the time of the device's failure. Nobody looks at LOW.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from fridge_assets.alerting.act import act
from fridge_assets.alerting.actions import ActionRequest
from fridge_assets.alerting.severity import rank_of
from fridge_assets.alerting.store import AlertFilter, list_alerts
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations

LOOK = timedelta(minutes=10)
VISIT_AFTER = timedelta(hours=4)
MEDIAN_REACTION = timedelta(minutes=8)


class Crew:
    """Acts on alerts at simulated times.

    Args:
        operations: where the alerts are.
        settings: of the data folder.
        truth: the simulator's ground truth, which a technician finds out on the spot.
        seed: of how long people take.
    """

    def __init__(self, operations: Operations, settings: Settings, truth: pd.DataFrame, seed: int) -> None:
        self._operations = operations
        self._settings = settings
        self._truth = truth.set_index("device_id")
        self._rng = np.random.default_rng(seed)
        self._free_at: datetime | None = None
        self._visits: dict[str, datetime] = {}

    def work_until(self, end: datetime) -> None:
        """Everything that is done before ``end`` about the alerts that are there now."""
        alerts = self._active()
        self._visit(alerts, end)
        waiting = alerts[(alerts["status"] == "OPEN") & (alerts["severity"] != "LOW")]
        waiting = waiting.assign(rank=rank_of(waiting["severity"]))
        for alert in waiting.sort_values(["rank", "alert_created_at"], ascending=[False, True]).itertuples():
            created = alert.alert_created_at.to_pydatetime()
            reaction = MEDIAN_REACTION * float(self._rng.lognormal(0.0, 0.7))
            at = max(self._free_at or created, created + reaction)
            if at >= end:
                continue
            self._do(str(alert.alert_id), "acknowledge", at, "operator")
            self._free_at = at + LOOK
            self._visits[str(alert.alert_id)] = at + VISIT_AFTER

    def _visit(self, alerts: pd.DataFrame, end: datetime) -> None:
        for alert in alerts[alerts["status"].isin(["ACKNOWLEDGED", "IN_PROGRESS"])].itertuples():
            alert_id, device = str(alert.alert_id), str(alert.device_id)
            at = self._visits.get(alert_id, alert.alert_created_at.to_pydatetime() + VISIT_AFTER)
            if at >= end:
                continue
            if device not in self._truth.index or self._truth.loc[device, "onset"] > at:
                self._do(alert_id, "false_positive", at, "technician")
            elif self._truth.loc[device, "failure_at"] <= end:
                self._do(
                    alert_id, "resolve", max(at, self._truth.loc[device, "failure_at"].to_pydatetime()), "technician"
                )
            elif alert.status == "ACKNOWLEDGED":
                self._do(alert_id, "start", at, "technician")

    def _do(self, alert_id: str, action: str, at: datetime, actor: str) -> None:
        act(self._operations, alert_id, action, ActionRequest(actor, at), self._settings.alerts)

    def _active(self) -> pd.DataFrame:
        with self._operations.read() as connection:
            return list_alerts(connection, AlertFilter(limit=1_000_000))
