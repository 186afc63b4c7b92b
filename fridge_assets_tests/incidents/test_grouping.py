"""When many devices are told of as one: a site, a storm (SPEC 6.1)."""

from datetime import timedelta

from fridge_assets.incidents.grouping import FLEET, Group, GroupRule, Opening, group_of, is_news
from fridge_assets.incidents.terms import Severity
from fridge_assets_tests.incidents.device import CRITICAL, HIGH, LOW, MEDIUM, at

SITE = GroupRule(devices=5, share=0.3, span=timedelta(minutes=30))
STORM = GroupRule(devices=20, share=0.0, span=timedelta(minutes=5))


def openings(
    count: int, hour: float = 1, severity: Severity = MEDIUM, scope: str = "s1", first: int = 0
) -> list[Opening]:
    """So many devices that open an incident at ``hour``."""
    return [Opening(f"d{first + number}", scope, severity, at(hour)) for number in range(count)]


def group(size: int, *together: list[Opening], running: Group | None = None, hour: float = 1) -> Group | None:
    found = [one for some in together for one in some]
    return group_of("s1", found, size, running, at(hour), SITE)


def test_five_devices_and_thirty_percent_of_a_site_are_a_group() -> None:
    assert group(16, openings(5)) is not None
    assert group(17, openings(5)) is None
    assert group(10, openings(4)) is None
    assert group(4, openings(4)) is None


def test_only_openings_of_medium_or_more_of_the_same_site_within_the_span_count() -> None:
    assert group(10, openings(4), openings(1, severity=LOW, first=4)) is None
    assert group(10, openings(4), openings(1, scope="s2", first=4)) is None
    assert group(10, openings(4, hour=0.5), openings(1, first=4)) is None
    assert group(10, openings(4, hour=0.51), openings(1, first=4)) is not None
    assert group(10, openings(4), openings(1, first=0)) is None


def test_a_group_runs_for_a_fixed_span_and_then_another_one_begins() -> None:
    began = group(10, openings(5))
    assert began is not None
    later = group(10, openings(5), openings(1, 1.4, first=5), running=began, hour=1.4)
    assert later is not None
    assert (later.started_at, len(later.devices)) == (at(1), 6)
    assert not is_news(later, began)
    assert group(10, openings(5), running=began, hour=1.5) is None
    next_one = group(10, openings(5, 1.5), running=began, hour=1.5)
    assert next_one is not None
    assert is_news(next_one, began)


def test_people_hear_again_of_a_group_that_becomes_more_severe() -> None:
    began = group(10, openings(5))
    worse = group(10, openings(5), openings(1, 1.1, HIGH, first=5), running=began, hour=1.1)
    worst = group(10, openings(1, 1.2, CRITICAL, first=6), running=worse, hour=1.2)
    assert began is not None
    assert worse is not None
    assert worst is not None
    assert is_news(began, None)
    assert is_news(worse, began)
    assert is_news(worst, worse)
    assert (worst.severity, len(worst.devices)) == (CRITICAL, 7)


def test_a_storm_is_the_same_rule_over_the_whole_fleet() -> None:
    acute = openings(20, severity=CRITICAL, scope=FLEET)
    storm = group_of(FLEET, acute, 100_000, None, at(1), STORM)
    assert storm is not None
    assert storm.span.ends_at - storm.span.starts_at == timedelta(minutes=5)
    assert group_of(FLEET, acute[:19], 100_000, None, at(1), STORM) is None
