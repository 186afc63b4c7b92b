"""What is remembered after an incident is closed: false positives, and that a repaired device needs time (SPEC 6.1)."""

from datetime import datetime

from fridge_assets.incidents.observations import Benign, Seen
from fridge_assets.incidents.state import Incident
from fridge_assets.incidents.terms import Severity
from fridge_assets.settings import IncidentSettings


def benign_of(incident: Incident, settings: IncidentSettings) -> Benign | None:
    """What an incident that was called a false positive says of later evidence; None of any other incident."""
    if incident.status != "FALSE_POSITIVE" or incident.labelled_at is None:
        return None
    return Benign(
        signs=frozenset(incident.named),
        severity=incident.severity,
        until=incident.labelled_at + settings.benign_for,
        release=incident.release,
        registry_entry=incident.registry_entry,
    )


def is_benign(seen: Seen, benign: Benign, now: datetime) -> bool:
    """Whether ``seen`` is what a person has called a false positive, and nothing has changed since."""
    same_ground = (seen.release, seen.registry_entry) == (benign.release, benign.registry_entry)
    return now < benign.until and same_ground and seen.sign in benign.signs and seen.severity <= benign.severity


def still_returning(incident: Incident, seen: Seen, now: datetime, settings: IncidentSettings) -> bool:
    """Whether ``seen`` is what a device shows that was just repaired and returns to normal slowly.

    The stream sees the beginning of something, so that what it sees after a repair is news.
    """
    if incident.closed_because != "resolved" or incident.closed_at is None or seen.source == "streaming":
        return False
    nothing_new = seen.severity == Severity.LOW or incident.has_named(seen.sign.sensor)
    return now - incident.closed_at < settings.repair_grace and seen.severity <= incident.severity and nothing_new
