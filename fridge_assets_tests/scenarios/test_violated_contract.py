"""An input that breaks its contract: nothing is written, and the failed check shows its rows (SPEC 1.1, 4)."""

import pandas as pd

from fridge_assets_tests.scenarios.contents import contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import Place, graph_of
from fridge_assets_tests.scenarios.test_hourly_cycle import contract_of


def test_a_registry_with_an_unknown_status_stops_the_cycle_with_a_sentence_and_its_rows(cycled: Place) -> None:
    file = cycled.root / "device_registry.csv"
    registry = pd.read_csv(file, dtype="str")
    registry.loc[4, "status"] = "foo"
    registry.to_csv(file, index=False)
    before = contents(cycled)
    cycled.deliver(FIRST_HOUR + 1)

    cycle = cycled.run_hourly(FIRST_HOUR + 1)

    sentence = "device_registry breaks its contract: status must be one of active, retired (1 of 24 rows do not)"
    assert cycle.score.failures["ingest"].startswith(sentence)
    assert cycle.publish.failures["device_alerts"].startswith(sentence)
    assert contents(cycled) == before
    with graph_of(cycled.settings) as instance:
        check = contract_of(instance, "clean_sensor_readings")
    assert not check.passed
    assert registry.loc[4, "device_id"] in str(check.metadata["sample rows"].value)
