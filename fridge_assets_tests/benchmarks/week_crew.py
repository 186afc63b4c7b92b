"""The people of the simulated week: one operator at a time, and technicians who find out what was real.

The operator looks at what is told, the most urgent first, and needs ten minutes for each incident, as the alert budget
says. A technician looks at the device four hours later. Where the device has no fault the incident is marked as a false
positive; where it has, work is started. At its failure the device is taken out of service, which resolves the work:
nothing is repaired before, and it sends nothing after. Nobody looks at LOW.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from fridge_assets.incidents.acting import act
from fridge_assets.incidents.deadlines import time_for
from fridge_assets.incidents.observations import Act
from fridge_assets.incidents.terms import TAKEN, PersonsAction, Severity
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, incidents, is_open

LOOK = timedelta(minutes=10)
VISIT_AFTER = timedelta(hours=4)
MEDIAN_REACTION = timedelta(minutes=8)


class Crew:
    """Acts on incidents at simulated times.

    Args:
        operations: where the incidents are.
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
        self._reactions: dict[tuple[str, datetime], timedelta] = {}
        self.out_of_service: dict[str, datetime] = {}
        """Device → since when it sends nothing."""

    def work_until(self, end: datetime) -> None:
        """Everything that is done before ``end`` about the incidents that are open now."""
        found = self._open()
        self._visit(found, end)
        waiting = [one for one in found if one["status"] == "OPEN" and one["severity"] != "LOW" and one["told"]]
        for one in sorted(waiting, key=lambda row: (-Severity[row["severity"]], row["opened_at"], row["incident_id"])):
            since = one["deadline"] - time_for(Severity[one["severity"]], self._settings.alerts)
            at = max(self._free_at or since, since + self._reaction(one["incident_id"], since))
            if at >= end:
                continue
            self._do(one["incident_id"], "acknowledge", at, "operator")
            self._free_at = at + LOOK
            self._visits[one["incident_id"]] = at + VISIT_AFTER

    def _reaction(self, identity: str, since: datetime) -> timedelta:
        """How long it takes until somebody looks, the same however often it is asked."""
        return self._reactions.setdefault((identity, since), MEDIAN_REACTION * float(self._rng.lognormal(0.0, 0.7)))

    def _visit(self, found: Sequence[Mapping[str, Any]], end: datetime) -> None:
        for one in found:
            identity, device = one["incident_id"], one["device_id"]
            at = self._visits.get(identity, one["opened_at"] + VISIT_AFTER)
            if one["status"] not in TAKEN or at >= end:
                continue
            if device not in self._truth.index or self._truth.loc[device, "onset"] > at:
                self._do(identity, "false_positive", at, "technician")
            elif (failed_at := self._truth.loc[device, "failure_at"].to_pydatetime()) <= end:
                self.out_of_service[device] = max(at, failed_at)
                self._do(identity, "resolve", self.out_of_service[device], "technician")
            elif one["status"] == "ACKNOWLEDGED":
                self._do(identity, "start", at, "technician")

    def _do(self, identity: str, action: PersonsAction, at: datetime, actor: str) -> None:
        act(self._operations, identity, Act(action, actor), at, self._settings.alerts)

    def _open(self) -> list[Mapping[str, Any]]:
        with self._operations.read() as connection:
            return list(connection.execute(sa.select(incidents).where(is_open)).mappings())
