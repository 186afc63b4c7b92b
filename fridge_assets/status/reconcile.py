"""Whether what operators look at, and the events of incidents, agree with the incidents (SPEC 1.7, 1.8)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fridge_assets.contracts import DEVICE_STATUS, INCIDENTS, SITE_STATUS, Contract
from fridge_assets.incidents.rows import incident_row
from fridge_assets.incidents.state import Incident, IncidentEvent, incident_of
from fridge_assets.status.compute import site_status, with_alerts

_OF_DEVICES = ("open_alerts", "worst_severity")
_OF_INCIDENTS = [name for name in INCIDENTS.column_names if name not in ("incident_id", "opened_at")]
_OF_SITES = ("device_count", "devices_in_alert", "open_alerts", "worst_severity")


@dataclass(frozen=True)
class Comparison:
    """How one thing agrees with another.

    Args:
        subject: what was compared, in words.
        compared: rows that were.
        differences: ``what`` (key of the row), ``column``, ``shown`` and ``expected``, one row per value that differs.
    """

    subject: str
    compared: int
    differences: pd.DataFrame

    @property
    def mismatches(self) -> int:
        """Rows that differ in any column."""
        return int(self.differences["what"].nunique())

    @property
    def rate(self) -> float:
        """Share of the compared rows that differ; 0 where nothing was compared, which ``compared`` tells."""
        return self.mismatches / max(self.compared, 1)


def compare_devices(devices: pd.DataFrame, open_alerts: pd.DataFrame, due: Collection[str]) -> Comparison:
    """Hold the open alerts that each device shows against the incidents themselves.

    Args:
        devices: DEVICE_STATUS rows as stored.
        open_alerts: ``device_id``, ``open_alerts`` and ``worst_severity`` of the devices with open incidents.
        due: devices whose incidents changed after their status was made; they are left out.
    """
    settled = devices[~devices["device_id"].isin(due)]
    expected = with_alerts(settled, open_alerts)
    return _compare("open alerts of devices", settled, expected, "device_id", _OF_DEVICES)


def compare_sites(
    sites: pd.DataFrame, devices: pd.DataFrame, open_alerts: pd.DataFrame, due: Collection[str]
) -> Comparison:
    """Hold what each site counts against its devices and their incidents.

    Args:
        sites: SITE_STATUS rows as stored.
        devices: DEVICE_STATUS rows as stored.
        open_alerts: as of :func:`compare_devices`.
        due: devices whose incidents changed after the status was made; their sites are left out.
    """
    changing = devices.loc[devices["device_id"].isin(due), "site_id"]
    expected = site_status(with_alerts(devices, open_alerts))
    shown, expected = (frame[~frame["site_id"].isin(changing)] for frame in (sites, expected))
    return _compare("counts of sites", shown, expected, "site_id", _OF_SITES)


def compare_published(contract: Contract, published: pd.DataFrame | None, stored: pd.DataFrame) -> Comparison:
    """Hold what other programs read against the table.

    Args:
        contract: of both.
        published: the snapshot; None where there is none, which counts as empty.
        stored: rows of the table.
    """
    shown = contract.empty() if published is None else published
    key = contract.key[0]
    columns = [name for name in contract.column_names if name != key]
    return _compare(f"published {contract.name.replace('_', ' ')}", shown, stored, key, columns)


def compare_histories(
    incidents: Mapping[str, Incident], histories: Mapping[str, Sequence[IncidentEvent]]
) -> Comparison:
    """Hold incidents as they are stored against what their events add up to.

    Args:
        incidents: by id.
        histories: of each its events, oldest first; those that happened after it was read are left out.
    """
    folded = {
        identity: incident_of(event for event in histories[identity] if event.number <= one.revision)
        for identity, one in incidents.items()
        if histories.get(identity)
    }
    shown, expected = (
        pd.DataFrame([incident_row(one) for one in of.values()], columns=["incident_id", *_OF_INCIDENTS])
        for of in (incidents, folded)
    )
    return _compare("incidents and their events", shown, expected, "incident_id", _OF_INCIDENTS)


def compare_status(
    devices: pd.DataFrame,
    sites: pd.DataFrame,
    published_devices: pd.DataFrame | None,
    published_sites: pd.DataFrame | None,
    open_alerts: pd.DataFrame,
    due: Collection[str],
) -> list[Comparison]:
    """All that is to be compared of the status; arguments as of the functions above."""
    return [
        compare_devices(devices, open_alerts, due),
        compare_sites(sites, devices, open_alerts, due),
        compare_published(DEVICE_STATUS, published_devices, devices),
        compare_published(SITE_STATUS, published_sites, sites),
    ]


def _compare(subject: str, shown: pd.DataFrame, expected: pd.DataFrame, key: str, columns: Sequence[str]) -> Comparison:
    left, right = (frame.set_index(key)[list(columns)] for frame in (shown, expected))
    keys = left.index.union(right.index)
    missing = [(left.index, "missing", "there"), (right.index, "there", "missing")]
    pieces = [
        pd.DataFrame({"what": keys.difference(index), "column": key, "shown": here, "expected": there})
        for index, here, there in missing
    ]
    both = left.index.intersection(right.index)
    left, right = left.loc[both].astype("object"), right.loc[both].astype("object")
    for name in columns:
        differ = ~((left[name] == right[name]) | (left[name].isna() & right[name].isna())).astype(bool)
        pieces.append(
            pd.DataFrame(
                {
                    "what": both[differ],
                    "column": name,
                    "shown": left.loc[differ, name].astype(str).to_numpy(),
                    "expected": right.loc[differ, name].astype(str).to_numpy(),
                }
            )
        )
    found = [piece.astype("str") for piece in pieces if len(piece)]
    nothing = pd.DataFrame({name: pd.Series(dtype="str") for name in ("what", "column", "shown", "expected")})
    return Comparison(subject, len(keys), pd.concat(found, ignore_index=True) if found else nothing)
