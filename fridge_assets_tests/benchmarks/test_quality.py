"""The benchmark counts what operators were told, no more and no less."""

from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets_tests.benchmarks.kinds import KINDS, held_to, kind_of, registry_of
from fridge_assets_tests.benchmarks.quality import HOUR, START, Replay, alerted_in_vain, judge_faults


def alerts(*rows: tuple[str, int, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "device_id": [device for device, _, _ in rows],
            "window_end": pd.to_datetime([START + hour * HOUR for _, hour, _ in rows]),
            "alert_type": [kind for _, _, kind in rows],
            "top_contributors": [["superheat_mean"]] * len(rows),
        }
    )


FLEET = pd.Series("continuous", index=["faulty", *"abcdefghij"], name="kind")


def truth(full_at: int) -> pd.DataFrame:
    full = pd.Timestamp(START + full_at * HOUR)
    return pd.DataFrame(
        {
            "device_id": ["faulty"],
            "fault": ["refrigerant_leak"],
            "sensor": ["superheat,pressure_low_side"],
            "onset": [pd.Timestamp(START + 50 * HOUR)],
            "full_severity_at": [full],
            "failure_at": [full + timedelta(hours=12)],
        }
    )


def test_a_healthy_device_whose_alert_has_been_closed_again_counts_as_alerted_in_vain() -> None:
    told = alerts(("a", 50, "ANOMALY_RESOLVED"), ("a", 60, "ANOMALY_DETECTED"), ("b", 80, "ANOMALY_DETECTED"))
    by_day = alerted_in_vain(Replay(truth(60), told, FLEET))
    assert by_day.to_dict() == pytest.approx({1: 0.1, 2: 0.1})


def test_alerts_on_faulty_devices_are_not_in_vain() -> None:
    by_day = alerted_in_vain(Replay(truth(60), alerts(("faulty", 55, "ANOMALY_DETECTED")), FLEET))
    assert by_day.sum() == 0


@pytest.mark.parametrize(("hour", "found"), [(49, False), (51, True), (66, True), (67, False)])
def test_a_fault_is_found_from_onset_to_six_hours_after_full_severity(hour: int, found: bool) -> None:
    judged = judge_faults(Replay(truth(60), alerts(("faulty", hour, "ANOMALY_DETECTED")), FLEET)).iloc[0]
    assert judged["found"] == found
    if found:
        assert judged["lead_to_full"] == 60 - hour
        assert judged["named"]


def test_old_and_new_kinds_of_machine_are_judged_apart() -> None:
    kinds = FLEET.where(FLEET.index != "a", "cycling")
    told = alerts(("a", 50, "ANOMALY_DETECTED"), ("faulty", 55, "ANOMALY_DETECTED"))
    by_kind = Replay(truth(60), told, kinds).apart()
    assert {kind: (own.devices, len(own.truth), len(own.alerts)) for kind, own in by_kind.items()} == {
        "continuous": (10, 1, 1),
        "cycling": (1, 0, 1),
    }
    assert held_to(kinds) == "continuous"


def test_a_fleet_has_both_kinds_unless_one_is_chosen() -> None:
    assert set(kind_of(registry_of(48, 1))) == set(KINDS)
    assert set(kind_of(registry_of(48, 1, "cycling"))) == {"cycling"}
