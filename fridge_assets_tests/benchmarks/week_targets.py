"""The targets of the simulated week: what is found, and how much people hear of it."""

import math
from collections.abc import Iterator

from fridge_assets.alert_quality.deadlines import sla_table
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets_tests.benchmarks.targets import Target
from fridge_assets_tests.benchmarks.week_report import (
    DAY,
    LEAST_ACUTE,
    LEAST_GRADUAL,
    Week,
    by_fault,
    told_before,
    told_now,
)

_URGENT = SEVERITIES[2:]


def targets_of(week: Week) -> list[Target]:
    """Every figure that has a target."""
    return list(_targets(week))


def _targets(week: Week) -> Iterator[Target]:
    now, before = by_fault(week, told_now(week)), by_fault(week, told_before(week))
    for name, limit in (("gradual", LEAST_GRADUAL), ("acute", LEAST_ACUTE)):
        own = now[now["acute"].astype(bool) == (name == "acute")]
        found = float(own["found"].sum() / own["devices"].sum()) if len(own) else math.nan
        yield Target(f"{name} faults alerted before failure", found, limit, is_least=True)
    later = (before.set_index("fault")["lead"] - now.set_index("fault")["lead"]).max()
    yield Target("hours of lead lost, of the fault that lost most", float(later), 1.0)
    onset = week.truth.set_index("device_id")["onset"]
    real = [one for one in week.incidents if one.device_id in onset.index and one.at[-1] > onset[one.device_id]]
    for name, severities, limit in (("MEDIUM or higher", SEVERITIES[1:], 0.80), ("HIGH and CRITICAL", _URGENT, 0.95)):
        told = [one for one in week.incidents if one.severity in severities]
        share = sum(one in real for one in told) / len(told) if told else math.nan
        yield Target(f"precision of told incidents, {name}", share, limit, is_least=True)
    faulty = max(1, int((week.truth["onset"] < week.ends).sum()))
    # What was on the dashboard as LOW is first told when it rises.
    first = sum(1 + one.reasons[1:].count("reopened") for one in real)
    yield Target("first tellings a faulty device", first / faulty, 1.5)
    yield Target("messages a faulty device", sum(len(one.at) for one in real) / faulty, 5.0)
    taken = sum(one.taken / DAY for one in real)
    at_work = sum(one.while_taken for one in real) / taken if taken else math.nan
    yield Target("messages a day about a device somebody works on", at_work, 1.0)
    yield Target("healthy devices bothered a day, in percent", _bothered(week), 0.2)
    critical = sla_table(week.work, week.ends).set_index("severity").loc["CRITICAL"]
    due = int(critical[["in_time", "late", "breached_open"]].sum())
    in_time = float(critical["in_time"] / due) if due else math.nan
    yield Target("CRITICAL taken in time by one operator", in_time, 0.95, is_least=True)


def _bothered(week: Week) -> float:
    """Devices without a fault of which people were told MEDIUM or more, in percent of those without one, by day."""
    faulty = set(week.truth["device_id"])
    days = {
        (one.device_id, (at - week.begins) // DAY)
        for one in week.incidents
        if one.device_id not in faulty and one.severity != SEVERITIES[0]
        for at in one.at
    }
    return 100 * len(days) / ((week.devices - len(faulty)) * ((week.ends - week.begins) / DAY))
