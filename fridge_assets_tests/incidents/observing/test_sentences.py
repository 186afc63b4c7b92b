"""Sentences a technician understands (SPEC 6)."""

import itertools

import pandas as pd
import pytest

from fridge_assets.contracts import MODEL_FEATURES
from fridge_assets.diagnosis.causes import built_in
from fridge_assets.incidents.observing.judged import USUAL, Judged
from fridge_assets.incidents.observing.sentences import Anomaly, describe, description_of, title_of
from fridge_assets.incidents.observing.wording import number, words_for
from fridge_assets.scoring.comparisons import no_comparisons

END = pd.Timestamp("2026-06-14T10:00:00Z")
START = END - pd.Timedelta(minutes=15)
SPAN = "between 09:45 and 10:00 UTC"


def anomaly(
    contributors: list[str],
    measured: dict[str, float] | None = None,
    usual: dict[str, float] | None = None,
    **changes: object,
) -> Anomaly:
    """An anomaly of the window before 10:00 on 14 June, found by one of two models that kept no expectations."""
    measured, usual = measured or {}, usual or {}
    both = measured.keys() & usual.keys()
    return Anomaly(
        contributors,
        {name: Judged(measured[name], usual[name], None, None, USUAL, START, END) for name in both},
        measured,
        usual,
        START,
        END,
        END,
        1,
        2,
        pd.NaT,
        0.914,
        "models",
        "",
    )._replace(**changes)


@pytest.mark.parametrize(
    ("feature", "value", "usual", "title", "finding"),
    [
        ("pressure_low_mean", 141, 196, "Low-side pressure unusually low",
         f"Low-side pressure averaged 141 kPa {SPAN}, 28 % below the usual 196 kPa."),
        ("temp_evaporator_mean", -19.8, -25.04, "Evaporator temperature unusually high",
         f"Evaporator temperature averaged −19.8 °C {SPAN}, 5.24 °C above the usual −25 °C."),
        ("superheat_mean", 15, 8, "Superheat unusually high",
         f"Superheat averaged 15 K {SPAN}, 7 K above the usual 8 K."),
        ("vibration_compressor_max", 15, 3, "Compressor vibration unusually high",
         f"Compressor vibration peaked at 15 mm/s {SPAN}, 5 times the usual 3 mm/s."),
        ("vibration_compressor_p95", 5, 4, "Compressor vibration unusually high",
         f"Compressor vibration was up to 5 mm/s in 95 % of readings {SPAN}, 25 % above the usual 4 mm/s."),
        ("pressure_low_min", 100, 150, "Low-side pressure unusually low",
         f"Low-side pressure had a minimum of 100 kPa {SPAN}, 33 % below the usual 150 kPa."),
        ("temp_suction_std", 0, 2, "Suction temperature unusually steady",
         f"Suction temperature varied by 0 °C (standard deviation) {SPAN}, 100 % below the usual 2 °C."),
        ("temp_suction_std", 4, 0, "Suction temperature unusually unsteady",
         f"Suction temperature varied by 4 °C (standard deviation) {SPAN}, 4 °C above the usual 0 °C."),
        ("temp_evaporator_slope", 0.4, 0.01, "Evaporator temperature rising unusually fast",
         f"Evaporator temperature rose by 0.4 °C/min {SPAN}, usually 0.01 °C/min."),
        ("temp_evaporator_slope", -0.4, 0.01, "Evaporator temperature falling unusually fast",
         f"Evaporator temperature fell by 0.4 °C/min {SPAN}, usually 0.01 °C/min."),
        ("temp_evaporator_slope", 0.01, 0.4, "Evaporator temperature changing unusually slowly",
         f"Evaporator temperature rose by 0.01 °C/min {SPAN}, usually 0.4 °C/min."),
        ("door_open_fraction", 0.62, 0.08, "Door open unusually long",
         f"Door was open 62 % of the time {SPAN}, usually 8 %."),
        ("defrost_active_fraction", 0.0, 0.08, "Defrost unusually short",
         f"Defrost was active 0 % of the time {SPAN}, usually 8 %."),
        ("pressure_ratio", 5.85, 7.5, "Pressure ratio unusually low",
         f"Pressure ratio was 5.85 {SPAN}, 22 % below the usual 7.5."),
        ("temp_spread_evap_cond", 72, 65, "Evaporator-to-condenser spread unusually high",
         f"Evaporator-to-condenser spread was 72 K {SPAN}, 7 K above the usual 65 K."),
        ("humidity_mean", 65, 45, "Humidity unusually high",
         f"Humidity averaged 65 %RH {SPAN}, 20 %RH above the usual 45 %RH."),
        ("current_compressor_mean", 12, 0, "Compressor current unusually high",
         f"Compressor current averaged 12 A {SPAN}, 12 A above the usual 0 A."),
        ("pressure_low_mean", 141, None, "Low-side pressure unusual",
         f"Low-side pressure averaged 141 kPa {SPAN}."),
        ("pressure_low_mean", None, 196, "Low-side pressure unusual",
         f"Low-side pressure could not be measured {SPAN}."),
        ("pressure_low_mean", 196.1, 195.9, "Low-side pressure unusual",
         f"Low-side pressure averaged 196 kPa {SPAN}, close to the usual 196 kPa."),
    ],
)  # fmt: skip
def test_dominant_contributor_is_told_with_direction_and_distance(
    feature: str, value: float | None, usual: float | None, title: str, finding: str
) -> None:
    told = anomaly([feature], {} if value is None else {feature: value}, {} if usual is None else {feature: usual})
    assert title_of(told) == title
    assert description_of(told) == f"{finding} First seen 10:00 UTC. One of two models flags this (score 0.91)."


def judged(feature: str, value: float, expected: float, spread: float, basis: str, **changes: object) -> Anomaly:
    """The same of a value that a model has judged."""
    by = Judged(value, expected, spread, (value - expected) / spread, basis, START, END)
    return anomaly([feature], {feature: value})._replace(judged={feature: by}, **changes)


@pytest.mark.parametrize(
    ("feature", "value", "expected", "spread", "basis", "title", "finding"),
    [
        ("pressure_low_mean", 141, 196, 8.04, "history", "Low-side pressure unusually low",
         f"Low-side pressure averaged 141 kPa {SPAN}, 28 % below the 196 ± 8 kPa expected of this device under these "
         "operating conditions."),
        ("temp_ambient_mean", 31.2, 22.1, 1.5, "sensors", "Ambient temperature unusually high",
         f"Ambient temperature averaged 31.2 °C {SPAN}, 9.1 °C above the 22.1 ± 1.5 °C suggested by its other "
         "sensors."),
        ("door_open_fraction", 0.62, 0.08, 0.05, "cohort", "Door open unusually long",
         f"Door was open 62 % of the time {SPAN}, 8 ± 5 % expected of its cohort under these operating conditions."),
        ("sensor_completeness", 0.91, 1.0, 0.001, "history", "Sensor values often missing",
         f"91 % of the sensor values arrived {SPAN}, 100 ± 0.1 % expected of this device under these operating "
         "conditions."),
        ("temp_evaporator_slope", 0.4, 0.0, 0.1, "sensors", "Evaporator temperature rising unusually fast",
         f"Evaporator temperature rose by 0.4 °C/min {SPAN}, 0 ± 0.1 °C/min suggested by its other sensors."),
    ],
)  # fmt: skip
def test_a_value_is_told_beside_what_its_model_expected(
    feature: str, value: float, expected: float, spread: float, basis: str, title: str, finding: str
) -> None:
    told = judged(feature, value, expected, spread, basis)
    assert title_of(told) == title
    assert description_of(told).startswith(f"{finding} First seen")


def test_a_number_that_looks_usual_is_told_as_unusual_for_the_ambient_temperature_that_has_moved() -> None:
    told = judged("pressure_high_mean", 829, 990, 20, "history")
    usual = {"pressure_high_mean": 840.0, "temp_ambient_mean": 22.1}
    told = told._replace(usual=usual, measured={**told.measured, "temp_ambient_mean": 31.2})
    assert title_of(told) == "High-side pressure unusually low for the ambient temperature"
    assert (
        "16 % below the 990 ± 20 kPa expected of this device under these operating conditions. The device usually "
        "reads 840 kPa at this time of day, but ambient temperature was 31.2 °C, usually 22.1 °C: that sensor may be "
        "the one that is wrong. First seen"
    ) in description_of(told)


def test_a_number_that_looks_usual_is_told_as_unusual_for_what_it_was_compared_with() -> None:
    told = judged("pressure_low_mean", 141, 196, 8, "cohort", usual={"pressure_low_mean": 143.0})
    assert title_of(told) == "Low-side pressure unusually low for its cohort"
    assert "The device usually reads 143 kPa at this time of day. First seen" in description_of(told)


def test_the_strongest_contributor_that_is_unusual_by_itself_is_told() -> None:
    calm = Judged(9.0, 8.0, 1.0, 1.0, "cohort", START, END)
    far = Judged(141.0, 196.0, 8.0, -6.9, "cohort", START, END)
    told = anomaly(["superheat_mean", "pressure_low_mean"])._replace(
        judged={"superheat_mean": calm, "pressure_low_mean": far}
    )
    assert title_of(told) == "Low-side pressure unusually low"
    assert "uperheat" not in description_of(told)


def test_where_no_number_is_unusual_the_combination_is_told() -> None:
    names = ["superheat_mean", "pressure_low_mean"]
    calm = [Judged(9.0, 8.0, 1.0, 1.0, "cohort", START, END), Judged(190.0, 196.0, 8.0, -0.75, "cohort", START, END)]
    told = anomaly(names)._replace(judged=dict(zip(names, calm, strict=True)))
    assert title_of(told) == "Unusual combination of readings"
    assert description_of(told).startswith(
        f"No reading is far from what was expected {SPAN}, but all together are: superheat 9 K (expected 8 ± 1 K), "
        "low-side pressure 190 kPa (expected 196 ± 8 kPa). First seen"
    )


def test_a_model_of_days_tells_of_the_day() -> None:
    day = Judged(141.0, 196.0, 8.0, -6.9, "group", END - pd.Timedelta(days=1), END)
    told = anomaly(["pressure_low_mean"], usual={"pressure_low_mean": 141.0})._replace(
        judged={"pressure_low_mean": day}
    )
    assert title_of(told) == "Low-side pressure unusually low"
    assert "averaged 141 kPa over the day up to 10:00 UTC, 28 % below the 196 ± 8 kPa expected" in description_of(told)


def test_every_sensor_is_named_once_and_two_further_ones_at_most() -> None:
    features = [
        "pressure_low_mean",
        "pressure_low_min",
        "superheat_mean",
        "pressure_ratio",
        "temp_evaporator_slope",
    ]
    told = anomaly(features, dict.fromkeys(features, 1.0), {"superheat_mean": 8.0})
    assert "Also superheat 1 K (usual 8 K) and pressure ratio 1. First" in description_of(told)


def test_features_without_a_value_are_not_listed_further() -> None:
    assert "Also" not in description_of(anomaly(["superheat_mean", "humidity_mean"], {"superheat_mean": 9.0}))


def test_no_contributors_still_makes_a_sentence() -> None:
    assert title_of(anomaly([])) == "Unusual behaviour"
    assert description_of(anomaly([])).startswith(f"No single sensor stands out {SPAN}. First seen")


def test_first_seen_on_another_day_says_the_day() -> None:
    told = anomaly([], first_detected_at=pd.Timestamp("2026-06-12T08:00:00Z"))
    assert "First seen 12 Jun 2026 08:00 UTC." in description_of(told)


@pytest.mark.parametrize(
    ("flagging", "scored", "sentence"),
    [
        (1, 1, "The one model that ran flags this"),
        (1, 2, "One of two models flags this"),
        (2, 2, "Two of two models agree"),
        (3, 4, "Three of four models agree"),
        (2, 5, "Two of 5 models agree"),
    ],
)
def test_agreement_of_models_is_told(flagging: int, scored: int, sentence: str) -> None:
    told = description_of(anomaly([], models_flagging=flagging, models_scored=scored))
    assert told.endswith(f"{sentence} (score 0.91).")


def test_every_feature_and_value_makes_readable_sentences() -> None:
    values, usuals = (None, 0.0, 1.0, -1.0, 1e9, 1e-9), (None, 0.0, 3.0, -3.0)
    for feature, value, usual in itertools.product((*MODEL_FEATURES, "something_new"), values, usuals):
        measured = {} if value is None else {feature: value}
        told = anomaly(["temp_ambient_mean", feature], measured, {} if usual is None else {feature: usual})
        texts = (description_of(told), description_of(told._replace(contributors=[feature])), title_of(told))
        for text in texts:
            assert not any(mark in text for mark in ("nan", "inf", "e+", "e-0", "  ", "None", "{", " .")), text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.0, "0"), (141.4, "141"), (1503, "1503"), (8.27, "8.27"), (15.04, "15"), (-25.31, "−25.3"),
     (0.01234, "0.0123"), (1e-9, "0"), (-1e-9, "0"), (99.96, "100")],
)  # fmt: skip
def test_numbers_have_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


def test_a_daily_models_word_is_told_with_its_hour() -> None:
    told = description_of(anomaly([], models_flagging=3, models_scored=4, carried_from=END - pd.Timedelta(hours=5)))
    assert told.endswith("Three of four models agree (score 0.91), some of them as of 05:00 UTC.")


def test_describe_looks_up_each_device_and_survives_absent_columns_and_devices() -> None:
    drafts = pd.DataFrame(
        {
            "device_id": ["d1", "d2"],
            "top_contributors": [["pressure_low_mean"]] * 2,
            "window_start": [END - pd.Timedelta(minutes=15)] * 2,
            "window_end": [END] * 2,
            "first_detected_at": [END] * 2,
            "score_ids": [["s1"], ["s2"]],
            "models_flagging": [1, 1],
            "models_scored": [1, 1],
            "carried_from": [pd.NaT, pd.NaT],
            "provisional": ["", "trained on 14 h of one device"],
            "source": "models",
            "refrigerant": "",
            "anomaly_score": [0.7, 0.7],
        }
    )
    features = pd.DataFrame({"device_id": ["d2", "d1"], "pressure_low_mean": [None, 141.0]})
    told = describe(drafts, features, pd.DataFrame({"device_id": ["d1"]}), no_comparisons(), built_in())
    assert told["title"].tolist() == ["Low-side pressure unusual"] * 2
    assert told["description"].str.contains("141 kPa").tolist() == [True, False]


def test_labels_come_from_the_contracts() -> None:
    assert words_for("current_compressor_max").label == "compressor current"
    assert words_for("current_per_temp_spread").unit == "A/K"


def test_a_cohort_that_the_model_does_not_know_is_said_before_any_sensor() -> None:
    told = anomaly(["cohort", "temp_evaporator_mean"], {"temp_evaporator_mean": 9}, {"temp_evaporator_mean": -25})
    assert title_of(told) == "Unknown cohort"
    assert f"seen none of its cohort in training {SPAN}, so that its score is held low." in description_of(told)


def test_a_provisional_version_is_said_at_the_end() -> None:
    told = description_of(anomaly([], provisional="trained on 14 h of one device"))
    assert told.endswith("Provisional, MEDIUM at most: its model was trained on 14 h of one device.")


def test_an_operating_state_that_the_model_does_not_know_is_said_before_any_sensor() -> None:
    told = anomaly(
        ["operating_state", "temp_evaporator_mean"], {"temp_evaporator_mean": 9}, {"temp_evaporator_mean": -25}
    )
    assert title_of(told) == "Unknown operating state"
    assert description_of(told).startswith(
        f"The machine was in an operating state that its model has not seen in training {SPAN}, "
        "so that its score is held low. Also evaporator temperature 9 °C (usual −25 °C)."
    )
