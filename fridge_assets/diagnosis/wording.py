"""A diagnosis in the words of a technician (SPEC 6.2)."""

from fridge_assets.contracts.sensor_readings import SENSORS
from fridge_assets.diagnosis.causes import Cause, Sign
from fridge_assets.diagnosis.findings import LONE_SENSOR, STEADY_SENSOR, Findings, sensor_of
from fridge_assets.diagnosis.rank import Diagnosis, Ranked

_IN_TITLE = 2
"""Signs that a title names."""
_LABELS = {sensor.short_name: sensor.label for sensor in SENSORS}
_FINDINGS = {
    "pressure_ratio": ("pressure ratio up", "pressure ratio down"),
    "door_open_fraction": ("door open", "door closed more than usual"),
    "sensor_completeness": ("more sensor values than usual", "sensor values missing"),
    "vibration_compressor_p95": ("vibration peaks up", "vibration peaks down"),
    LONE_SENSOR: ("{sensor} off while no other sensor moves", ""),
    STEADY_SENSOR: ("{sensor} repeats one value", ""),
}


def title_of(found: Ranked, findings: Findings) -> str:
    """One line, such as ``Probable refrigerant leak: superheat up, subcooling down``."""
    said = [sign_in_words(sign, findings) for sign in _by_weight(found.signs_for)[:_IN_TITLE]]
    return f"Probable {found.cause.title}: {', '.join(said)}"


def sentence_of(diagnosis: Diagnosis, refrigerant: str) -> str:
    """The probable cause with the signs for and against it, and what to bring; empty where it is not clear.

    Args:
        diagnosis: of the device.
        refrigerant: its refrigerant; empty where nobody knows.
    """
    found = diagnosis.cause
    if found is None:
        return ""
    seen, missing = signs_in_words(diagnosis)
    against = f"; not seen: {', '.join(missing)}" if missing else ""
    brought = to_bring(found, diagnosis.findings, refrigerant)
    bring = f" Bring: {', '.join(brought)}." if brought else ""
    return f"Probable cause: {found.cause.title} ({', '.join(seen)}{against}).{bring}"


def cause_in_words(diagnosis: Diagnosis) -> str:
    """The probable cause, such as ``refrigerant leak``; empty where it is not clear."""
    return "" if diagnosis.cause is None else diagnosis.cause.cause.title


def signs_in_words(diagnosis: Diagnosis) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The signs for the probable cause and those against it, the weightiest first; none where it is not clear."""
    found = diagnosis.cause
    if found is None:
        return (), ()
    signs = (_by_weight(found.signs_for), _by_weight(found.signs_against))
    seen, missing = (tuple(sign_in_words(sign, diagnosis.findings) for sign in own) for own in signs)
    return seen, missing


def to_bring(found: Ranked, findings: Findings, refrigerant: str) -> list[str]:
    """What a technician needs, by name where the device is known well enough."""
    return _brought(found.cause, refrigerant or "refrigerant", _sensor_of(found.signs_for[0].finding, findings))


def bring_for_any(cause: Cause) -> list[str]:
    """The same for no device in particular."""
    return _brought(cause, "refrigerant", "the")


def sign_in_words(sign: Sign, findings: Findings | None = None) -> str:
    """A sign such as ``superheat up``; without findings, of any device."""
    is_low = sign.direction == "low"
    if sign.finding in _FINDINGS:
        sensor = "one sensor" if findings is None else _sensor_of(sign.finding, findings)
        return _FINDINGS[sign.finding][is_low].format(sensor=sensor)
    label = _LABELS.get(sensor_of(sign.finding) or "", sign.finding.replace("_", " "))
    return f"{label} {'down' if is_low else 'up'}"


def _brought(cause: Cause, refrigerant: str, sensor: str) -> list[str]:
    return [item.replace("{refrigerant}", refrigerant).replace("{sensor}", sensor) for item in cause.bring]


def _sensor_of(finding: str, findings: Findings) -> str:
    return _LABELS.get(findings.sensors.get(finding, ""), "one sensor")


def _by_weight(signs: tuple[Sign, ...]) -> list[Sign]:
    return sorted(signs, key=lambda sign: -sign.weight)
