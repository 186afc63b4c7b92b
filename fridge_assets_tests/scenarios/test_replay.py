"""A replay over recorded hours gives what running the hours one by one gives (SPEC 9)."""

from collections.abc import Callable

from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.contents import WALL_TIME, contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import Place, graph_of, hour


def test_replayed_hours_equal_hours_that_were_run_one_by_one(
    trained: Place, another_copy: Callable[[Place], Place]
) -> None:
    trained.deliver(FIRST_HOUR, FIRST_HOUR + 1)
    one_by_one = another_copy(trained)
    for number in (FIRST_HOUR, FIRST_HOUR + 1):
        assert one_by_one.run_hourly(number).success

    since, until = hour(FIRST_HOUR).isoformat(), hour(FIRST_HOUR + 1.5).isoformat()
    with graph_of(trained.settings):
        code, said, error = typed(trained.root, "replay", "--from", since, "--to", until, "--json")

    assert (code, error) == (0, "")
    assert '"hours": 2' in said
    assert contents(trained, WALL_TIME) == contents(one_by_one, WALL_TIME)
