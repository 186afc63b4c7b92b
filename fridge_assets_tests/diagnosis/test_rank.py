"""Which cause fits what a device shows, in which words, and when none does (SPEC 6.2)."""

import pytest

from fridge_assets.diagnosis.causes import built_in
from fridge_assets.diagnosis.findings import findings_of
from fridge_assets.diagnosis.rank import Diagnosis, diagnose
from fridge_assets.diagnosis.wording import sentence_of, title_of

USUAL = {
    "temp_evaporator_mean": -25.0,
    "temp_evaporator_std": 0.4,
    "temp_condenser_mean": 40.0,
    "temp_discharge_mean": 70.0,
    "temp_suction_mean": -10.0,
    "temp_ambient_mean": 22.0,
    "pressure_high_mean": 1500.0,
    "pressure_low_mean": 200.0,
    "pressure_ratio": 7.5,
    "current_compressor_mean": 12.0,
    "vibration_compressor_mean": 3.0,
    "vibration_compressor_p95": 4.0,
    "humidity_mean": 45.0,
    "humidity_std": 1.0,
    "superheat_mean": 8.0,
    "subcooling_mean": 5.0,
    "door_open_fraction": 0.0,
    "defrost_active_fraction": 0.0,
    "sensor_completeness": 1.0,
}
LEAK = {
    "superheat_mean": 14.0,
    "subcooling_mean": 2.0,
    "pressure_low_mean": 150.0,
    "pressure_high_mean": 1350.0,
    "pressure_ratio": 9.0,
    "temp_evaporator_mean": -21.0,
    "current_compressor_mean": 11.2,
}


def of(without: tuple[str, ...] = (), **values: float) -> Diagnosis:
    """The diagnosis of a device with these values and usual ones otherwise, without some that were not measured."""
    measured = {name: value for name, value in {**USUAL, **values}.items() if name not in without}
    return diagnose(findings_of(measured, USUAL, built_in().noticeable), built_in().causes)


def cause(found: Diagnosis) -> str | None:
    return found.cause.cause.name if found.cause else None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (LEAK, "refrigerant_undercharge"),
        (
            {
                "temp_condenser_mean": 47.0,
                "pressure_high_mean": 1770.0,
                "pressure_ratio": 8.9,
                "temp_discharge_mean": 82.0,
                "current_compressor_mean": 13.4,
            },
            "condenser_fouling",
        ),
        (
            {
                "pressure_low_mean": 164.0,
                "superheat_mean": 4.0,
                "temp_evaporator_mean": -29.0,
                "temp_suction_mean": -13.0,
                "pressure_ratio": 9.1,
            },
            "evaporator_icing",
        ),
        ({"vibration_compressor_mean": 7.5, "vibration_compressor_p95": 12.0}, "bearing_wear"),
        ({"door_open_fraction": 0.9, "humidity_mean": 65.0, "temp_evaporator_mean": -21.0}, "door_open"),
        ({"subcooling_mean": 11.0, "superheat_mean": 14.0, "pressure_low_mean": 150.0}, "liquid_line_restriction"),
        ({"subcooling_mean": 11.0}, "sensor_drifting"),
        ({"temp_ambient_mean": 38.0}, "sensor_drifting"),
        ({"humidity_std": 0.0}, "sensor_stuck"),
        ({"sensor_completeness": 0.92}, "sensor_dropping_out"),
        (
            {
                "current_compressor_mean": 0.1,
                "vibration_compressor_mean": 0.1,
                "vibration_compressor_p95": 0.1,
                "pressure_ratio": 1.5,
                "pressure_low_mean": 600.0,
                "pressure_high_mean": 900.0,
                "temp_evaporator_mean": -5.0,
            },
            "power_loss",
        ),
    ],
)
def test_the_signs_of_a_fault_lead_to_its_cause(values: dict[str, float], expected: str) -> None:
    assert cause(of(**values)) == expected


def test_nothing_unusual_has_no_cause() -> None:
    assert of().ranked == ()
    assert cause(of()) is None


def test_a_faint_deviation_is_not_clear() -> None:
    assert cause(of(superheat_mean=9.2, subcooling_mean=4.2)) is None


def test_signs_that_fit_two_causes_alike_are_not_clear() -> None:
    """Without subcooling nobody can tell a leak from a valve that starves the evaporator."""
    found = of(without=("subcooling_mean", "pressure_high_mean"), superheat_mean=14.0, pressure_low_mean=150.0)
    assert {ranked.cause.name for ranked in found.ranked[:3]} >= {"refrigerant_undercharge", "expansion_valve_starving"}
    assert not found.clear


def test_a_defrost_and_the_pull_down_after_it_tell_of_no_cause() -> None:
    warm = {"temp_evaporator_mean": -12.0, "temp_suction_mean": 0.0, "pressure_low_mean": 260.0, "superheat_mean": 4.0}
    assert cause(of(**warm, defrost_active_fraction=0.8)) is None
    assert cause(of(**warm, temp_evaporator_std=4.0)) is None
    bearing = {"vibration_compressor_mean": 7.5, "vibration_compressor_p95": 12.0}
    assert cause(of(**warm, **bearing, defrost_active_fraction=0.8)) == "bearing_wear"


def test_the_same_findings_give_the_same_diagnosis_whatever_the_order_of_the_causes() -> None:
    findings = findings_of({**USUAL, **LEAK}, USUAL, built_in().noticeable)
    assert diagnose(findings, built_in().causes) == diagnose(findings, built_in().causes[::-1])


def test_a_technician_reads_the_signs_for_and_against_and_what_to_bring() -> None:
    found = of(**LEAK | {"current_compressor_mean": 12.0})
    assert found.cause is not None
    assert title_of(found.cause, found.findings) == "Probable refrigerant leak: superheat up, subcooling down"
    assert sentence_of(found, "R404A") == (
        "Probable cause: refrigerant leak (superheat up, subcooling down, low-side pressure down, high-side pressure "
        "down, evaporator temperature up; not seen: compressor current down). Bring: leak detector, R404A."
    )


def test_a_sensor_is_called_by_its_name() -> None:
    found = of(temp_ambient_mean=38.0)
    assert sentence_of(found, "") == (
        "Probable cause: sensor drifting (ambient temperature off while no other sensor moves). Bring: ambient "
        "temperature sensor, reference thermometer or gauge."
    )


def test_what_is_not_clear_is_not_said() -> None:
    assert sentence_of(of(), "R404A") == ""
