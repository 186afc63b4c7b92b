"""The words of incidents are those that their datasets admit."""

from typing import get_args

from fridge_assets.contracts import device_alerts, incidents
from fridge_assets.incidents import terms


def test_types_and_contracts_have_the_same_words() -> None:
    own, of_people = (get_args(part) for part in get_args(terms.Action))
    assert (*own, *of_people) == incidents.INCIDENT_ACTIONS
    assert of_people == get_args(terms.PersonsAction)
    assert get_args(terms.TellReason) == incidents.TELL_REASONS
    assert get_args(terms.ClosedBecause) == incidents.CLOSE_REASONS
    assert get_args(terms.Verdict) == incidents.VERDICTS
    assert get_args(terms.HoldReason) == device_alerts.SUPPRESSION_REASONS
    assert get_args(terms.Status) == device_alerts.ALERT_STATUSES
    assert get_args(terms.Level) == terms.LEVELS == device_alerts.ESCALATION_LEVELS
    assert get_args(terms.Source) == device_alerts.ALERT_SOURCES
    assert tuple(terms.Severity.__members__) == device_alerts.SEVERITIES
