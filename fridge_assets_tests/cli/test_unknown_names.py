"""Names that nobody knows are errors that name the nearest one (SPEC 9)."""

import pytest

from fridge_assets.core.names import nearest, unknown
from fridge_assets_tests.cli.typed import refused, typed
from fridge_assets_tests.scenarios.small_fleet import Place

UNKNOWN = [
    (["alerts", "list", "--site", "site-9999"], "there is no site 'site-9999'."),
    (["alerts", "list", "--device", "device-00002"], "there is no device 'device-00002'. Did you mean device-0000"),
    (["incidents", "audit", "--site", "site-9999", "--json"], "there is no site 'site-9999'."),
    (["incidents", "audit", "--device", "device-00002"], "there is no device 'device-00002'. Did you mean device-0000"),
    (["incidents", "audit", "--because", "silence"], "there is no reason 'silence'. Did you mean silenced? Choose one"),
    (["incidents", "list", "--device", "device-00002"], "there is no device 'device-00002'. Did you mean device-0000"),
    (["incidents", "ack", "--site", "site-9999"], "there is no site 'site-9999'."),
    (["alerts", "list", "--min-severity", "hihg"], "there is no severity 'hihg'. Did you mean HIGH? Choose one of"),
    (["thresholds", "show", "device-00002"], "there is no device 'device-00002'. Did you mean device-0000"),
    (["models", "scored", "device-00002"], "there is no device 'device-00002'. Did you mean device-0000"),
    (["silences", "add", "--device", "device-00002", "--for", "1h", "--reason", "x"], "Did you mean device-0000"),
    (["silences", "add", "--site", "site-000", "--for", "1h", "--reason", "x"], "Did you mean site-000"),
    (["models", "list", "isolation_forst"], "Did you mean isolation_forest? Choose one of isolation_forest, "),
    (["models", "history", "isolation_forst"], "Did you mean isolation_forest?"),
    (["models", "canary", "isolation_forst"], "Did you mean isolation_forest?"),
    (["models", "stage", "isolation_forst", "1.0.0"], "Did you mean isolation_forest?"),
    (["pause", "isolation_forst"], "Did you mean isolation_forest?"),
    (["models", "stage", "isolation_forest", "1.0.1"], "has no version 1.0.1. Did you mean 1.0.0? Choose one of 1.0.0"),
    (["simulate", "--fault", "refrigerant_leek=0.1"], "Did you mean refrigerant_leak? Choose one of"),
    (["messages", "show", "zzzz"], "no message begins with 'zzzz'. See `fridge-assets messages list`."),
    (["work-orders", "show", "zzzz"], "no order begins with 'zzzz'. See `fridge-assets work-orders list`."),
    (["silences", "end", "zzzz"], "no silence begins with 'zzzz'. See `fridge-assets silences list --all`."),
    (["messages", "show", ""], "'' is too short for a message. Give 4 characters of its id or more."),
    (["work-orders", "show", ""], "'' is too short for an order."),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), UNKNOWN, ids=[" ".join(words) for words, _ in UNKNOWN])
def test_the_nearest_name_is_named(cycled_template: Place, words: list[str], expected: str) -> None:
    assert expected in refused(cycled_template.root, *words)


def test_a_site_that_is_known_and_has_no_alert_is_no_error(trained_template: Place) -> None:
    code, said, error = typed(trained_template.root, "alerts", "list", "--site", "site-0000")
    assert (code, said, error) == (0, "Alerts: none\n", "")


def test_the_end_of_an_id_may_be_wrong(cycled_template: Place) -> None:
    with cycled_template.operations.read() as connection:
        alert = connection.exec_driver_sql("SELECT alert_id FROM device_alerts LIMIT 1").scalar_one()
    line = refused(cycled_template.root, "alerts", "show", f"{alert[:5]}zzz")
    assert f"Did you mean {alert[:8]}?" in line


def test_of_many_names_a_few_are_shown_and_case_does_not_count() -> None:
    many = [f"device-{number:06d}" for number in range(1000)]
    assert str(unknown("device", "x", many)) == (
        "there is no device 'x'. There are 1,000, such as device-000000, device-000001, device-000002."
    )
    assert nearest("HIGHH", ["low", "high"]) == "high"
    assert nearest("x", ["low", "high"]) is None
    assert str(unknown("site", "x", [])) == "there is no site 'x'. There is none at all."
