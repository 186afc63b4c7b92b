"""Titles and descriptions a technician understands: what was judged, which way it is off, how far, since when."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import pandas as pd

from fridge_assets.contracts.device_features import sensors_of
from fridge_assets.diagnosis.causes import Knowledge
from fridge_assets.diagnosis.findings import findings_of
from fridge_assets.diagnosis.rank import Diagnosis, diagnose
from fridge_assets.diagnosis.wording import cause_in_words, sentence_of, signs_in_words
from fridge_assets.diagnosis.wording import title_of as title_of_cause
from fridge_assets.incidents.observing.flagged import FALLBACK
from fridge_assets.incidents.observing.judged import LIMIT, Judged, judged_contributors, values_by_device
from fridge_assets.incidents.observing.wording import BESIDE_WHAT, alike, words_for
from fridge_assets.incidents.terms import Sign

_ALSO = 2
"""How many further sensors a description names."""

_NUMBER_WORDS = ("no", "one", "two", "three", "four")
_AMBIENT = "temp_ambient_mean"
_AMBIENT_MOVED = 2.0
"""°C from what the ambient temperature usually is at this time of day; less explains no unusual expectation."""
_DAY = timedelta(days=1)
_MUCH_NEARER = 0.5
"""Share of the distance from what was expected, within which what is usual makes a number look usual."""


class Anomaly(NamedTuple):
    """What a description tells about one device."""

    contributors: Sequence[str]
    judged: Mapping[str, Judged]
    measured: Mapping[str, float]
    usual: Mapping[str, float]
    window_start: pd.Timestamp
    window_end: pd.Timestamp
    first_detected_at: pd.Timestamp
    models_flagging: int
    models_scored: int
    carried_from: pd.Timestamp
    anomaly_score: float
    source: str
    provisional: str

    @property
    def leading(self) -> str | None:
        """The strongest contributor that is unusual by itself; None where only all of them together are."""
        names = (name for name in self.contributors if name not in self.judged or _unusual(name, self.judged[name]))
        return next(names, None)

    @property
    def looks_usual(self) -> bool:
        """Whether the leading value is much nearer to what the device usually reads than to what was expected."""
        judged, usual = self.judged.get(self.leading or ""), self.usual.get(self.leading or "")
        if judged is None or usual is None or judged.deviation is None or judged.until - judged.since >= _DAY:
            return False
        return abs(judged.value - usual) < _MUCH_NEARER * abs(judged.value - judged.expected)

    @property
    def ambient_moved(self) -> bool:
        """Whether the ambient temperature is why something else was expected than usual."""
        if self.leading == _AMBIENT or not {_AMBIENT} <= self.measured.keys() & self.usual.keys():
            return False
        return abs(self.measured[_AMBIENT] - self.usual[_AMBIENT]) >= _AMBIENT_MOVED


def describe(
    drafts: pd.DataFrame,
    features: pd.DataFrame,
    typical: pd.DataFrame,
    comparisons: pd.DataFrame,
    knowledge: Knowledge,
) -> pd.DataFrame:
    """Add ``title`` and ``description`` to ``drafts``, both with the probable cause where it is clear, and ``sign``.

    Beside them ``cause``, empty where it is not clear, and the ``signs_for`` and ``signs_against`` it.

    Args:
        drafts: one row per device with ``score_ids``, ``refrigerant`` and the columns of :class:`Anomaly` that are no
            features.
        features: DEVICE_FEATURES rows of the window; a device or column may be missing.
        typical: ``device_id`` and the usual values of its features; a device, column or value may be missing.
        comparisons: what the scores' contributors were held against; scores may lack it.
        knowledge: the causes that may be probable.
    """
    measured, usual = (values_by_device(frame, drafts["device_id"]) for frame in (features, typical))
    anomalies = [
        Anomaly(contributors, judged, measured.get(device, {}), usual.get(device, {}), *rest)
        for device, judged, contributors, *rest in zip(
            drafts["device_id"],
            judged_contributors(drafts, comparisons, measured, usual),
            drafts["top_contributors"],
            drafts["window_start"],
            drafts["window_end"],
            drafts["first_detected_at"],
            drafts["models_flagging"],
            drafts["models_scored"],
            drafts["carried_from"],
            drafts["anomaly_score"],
            drafts["source"],
            drafts["provisional"],
            strict=True,
        )
    ]
    diagnoses = [
        # The rules name limits that were passed, and no model looked at what else moved.
        diagnose(
            findings_of(anomaly.measured, anomaly.usual, knowledge.noticeable),
            () if anomaly.source == FALLBACK else knowledge.causes,
        )
        for anomaly in anomalies
    ]
    signs = [signs_in_words(diagnosis) for diagnosis in diagnoses]
    told = list(zip(anomalies, diagnoses, drafts["refrigerant"], strict=True))
    return drafts.assign(
        title=[_title_with_cause(anomaly, diagnosis) for anomaly, diagnosis, _ in told],
        description=[
            f"{description_of(anomaly)} {sentence_of(diagnosis, refrigerant)}".rstrip()
            for anomaly, diagnosis, refrigerant in told
        ],
        cause=[cause_in_words(diagnosis) for _, diagnosis, _ in told],
        signs_for=_objects((seen for seen, _ in signs), drafts.index),
        signs_against=_objects((missing for _, missing in signs), drafts.index),
        sign=_objects((sign_of(anomaly) for anomaly in anomalies), drafts.index),
    )


def _objects(values: Iterable[object], index: pd.Index) -> pd.Series:
    return pd.Series(list(values), index=index, dtype="object")


def sign_of(anomaly: Anomaly) -> Sign:
    """The sensor that stands out most, and which way it is off; a feature of several sensors goes by its first."""
    feature = anomaly.leading or next(iter(anomaly.contributors), "")
    judged, sensor = anomaly.judged.get(feature), next(iter(sensors_of(feature)), feature)
    if judged is None or judged.value == judged.expected:
        return Sign(sensor)
    return Sign(sensor, "high" if judged.value > judged.expected else "low")


def _title_with_cause(anomaly: Anomaly, diagnosis: Diagnosis) -> str:
    """The probable cause, where it explains what stands out; else what stands out."""
    found = diagnosis.cause
    if found is None or anomaly.leading is None:
        return title_of(anomaly)
    findings = [sign.finding for sign in found.signs_for]
    explained = {sensor for name in findings for sensor in sensors_of(diagnosis.findings.feature_of(name))}
    is_explained = explained.issuperset(_subject(anomaly.leading))
    return title_of_cause(found, diagnosis.findings) if is_explained else title_of(anomaly)


def title_of(anomaly: Anomaly) -> str:
    """One line: the sensor that is unusual, which way, and beside what where the number alone would look usual."""
    if not len(anomaly.contributors):
        return "Unusual behaviour"
    if anomaly.leading is None:
        return "Unusual combination of readings"
    words, judged = words_for(anomaly.leading), anomaly.judged.get(anomaly.leading)
    if judged is None:
        return f"Unknown {words.label}" if words.kind == "unknown" else f"{words.title_label} unusual"
    if judged.basis == LIMIT:
        return f"{words.title_label} {'above' if judged.value > judged.expected else 'below'} its limit"
    title = f"{words.title_label} {words.direction(judged.value, judged.expected)}"
    if not anomaly.looks_usual:
        return title
    return f"{title} for {'the ambient temperature' if anomaly.ambient_moved else BESIDE_WHAT[judged.basis]}"


def description_of(anomaly: Anomaly) -> str:
    """Sentences: what was measured, what was expected and how far it is off, what else is, since when, who says so."""
    return " ".join(
        sentence
        for sentence in (
            _finding(anomaly),
            _by_itself(anomaly),
            _further(anomaly),
            _since(anomaly),
            _agreement(anomaly),
            f"Provisional, MEDIUM at most: its model was {anomaly.provisional}." if anomaly.provisional else "",
        )
        if sentence
    )


def _finding(anomaly: Anomaly) -> str:
    window = _span(anomaly.window_start, anomaly.window_end)
    if not len(anomaly.contributors):
        return f"No single sensor stands out {window}."
    if anomaly.leading is None:
        found = [(name, anomaly.judged[name]) for name in anomaly.contributors[: 1 + _ALSO]]
        phrases = [words_for(name).short(judged) for name, judged in found]
        span = _span(found[0][1].since, found[0][1].until)
        return f"No reading is far from what was expected {span}, but all together are: {', '.join(phrases)}."
    words, judged = words_for(anomaly.leading), anomaly.judged.get(anomaly.leading)
    if judged is None:
        return f"{words.sentence(anomaly.measured.get(anomaly.leading), window)}."
    return f"{words.sentence(judged.value, _span(judged.since, judged.until))}{words.comparison(judged)}."


def _by_itself(anomaly: Anomaly) -> str:
    """Says of a number that looks usual why it is not."""
    if anomaly.leading is None or not anomaly.looks_usual:
        return ""
    usually = words_for(anomaly.leading).amount(anomaly.usual[anomaly.leading])
    said = f"The device usually reads {usually} at this time of day"
    if not anomaly.ambient_moved:
        return f"{said}."
    words = words_for(_AMBIENT)
    ambient, before = words.amount(anomaly.measured[_AMBIENT]), words.amount(anomaly.usual[_AMBIENT])
    return f"{said}, but {words.label} was {ambient}, usually {before}: that sensor may be the one that is wrong."


def _unusual(name: str, judged: Judged) -> bool:
    """Whether a value is unusual by itself, and a reader can see it."""
    return judged.deviation is None or (judged.unusual and not alike(words_for(name), judged.value, judged.expected))


def _further(anomaly: Anomaly) -> str:
    # Several features of one sensor say the same thing to a technician: each sensor is named once.
    named = set(_subject(anomaly.leading)) if anomaly.leading else set()
    phrases: list[str] = []
    for feature in anomaly.contributors if anomaly.leading else ():
        judged = anomaly.judged.get(feature)
        if named.issuperset(_subject(feature)):
            continue
        if judged is not None and _unusual(feature, judged):
            phrases.append(words_for(feature).short(judged))
        elif judged is None and feature in anomaly.measured:
            phrases.append(words_for(feature).named(anomaly.measured[feature]))
        else:
            continue
        named.update(_subject(feature))
    return f"Also {' and '.join(phrases[:_ALSO])}." if phrases else ""


def _span(since: pd.Timestamp, until: pd.Timestamp) -> str:
    if until - since >= _DAY:
        return f"over the day up to {until:%H:%M} UTC"
    return f"between {since:%H:%M} and {until:%H:%M} UTC"


def _since(anomaly: Anomaly) -> str:
    first = anomaly.first_detected_at
    day = "" if first.date() == anomaly.window_end.date() else f"{first.day} {first:%b %Y} "
    return f"First seen {day}{first:%H:%M} UTC."


def _agreement(anomaly: Anomaly) -> str:
    if anomaly.source == FALLBACK:
        return "The models' scores are too old to be asked."
    score = f"(score {anomaly.anomaly_score:.2f})"
    if pd.notna(anomaly.carried_from):
        score += f", some of them as of {anomaly.carried_from:%H:%M} UTC"
    if anomaly.models_scored == 1:
        return f"The one model that ran flags this {score}."
    flagging, scored = _in_words(anomaly.models_flagging), _in_words(anomaly.models_scored)
    verb = "flags this" if anomaly.models_flagging == 1 else "agree"
    return f"{flagging.capitalize()} of {scored} models {verb} {score}."


def _in_words(count: int) -> str:
    return _NUMBER_WORDS[count] if count < len(_NUMBER_WORDS) else str(count)


def _subject(feature: str) -> tuple[str, ...]:
    return sensors_of(feature) or (feature,)
