"""Every run that has ended is told of once and in order, whatever way it ended and whoever looks (SPEC 4)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from fridge_assets.automation.sensors import tell_of_runs
from fridge_assets.notifications.outbox import OutboxFilter, list_messages
from fridge_assets.stores.operations import Operations
from fridge_assets.telling.ended_runs import EndedRuns

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
ENDINGS = {
    "success": dg.DagsterEventType.RUN_SUCCESS,
    "failure": dg.DagsterEventType.RUN_FAILURE,
    "cancellation": dg.DagsterEventType.RUN_CANCELED,
}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


def begun(instance: dg.DagsterInstance) -> str:
    """A run that is under way."""
    run = dg.DagsterRun(job_name="talk", status=dg.DagsterRunStatus.STARTED)
    instance.run_storage.add_run(run)
    return run.run_id


def end(instance: dg.DagsterInstance, run_id: str, at: datetime, ending: str = "success") -> str:
    """Store that a run ended then."""
    event = dg.DagsterEvent(event_type_value=ENDINGS[ending].value, job_name="talk")
    instance.run_storage.handle_run_event(run_id, event, at)
    return run_id


def ended(instance: dg.DagsterInstance, at: datetime, ending: str = "success") -> str:
    return end(instance, begun(instance), at, ending)


def looked(cursor: EndedRuns, instance: dg.DagsterInstance) -> tuple[list[str], EndedRuns]:
    """Ids of the runs that are new, and where one is after them; the cursor goes through its stored form."""
    records = cursor.new(instance)
    for record in records:
        cursor = cursor.after(record)
    return [record.dagster_run.run_id for record in records], EndedRuns.from_json(cursor.to_json())


START = EndedRuns.from_now(NOON)


def test_runs_come_in_the_order_in_which_they_ended_whatever_way_and_whenever_they_began(
    instance: dg.DagsterInstance,
) -> None:
    runs = [begun(instance) for _ in range(4)]
    order = [2, 0, 3, 1]
    ways = [*ENDINGS, "success"]
    for place in (1, 3, 0, 2):
        end(instance, runs[order[place]], NOON + place * SECOND + SECOND, ways[place])
    begun(instance)
    found, _ = looked(START, instance)
    assert found == [runs[number] for number in order]


def test_each_run_comes_once_also_after_a_restart(instance: dg.DagsterInstance) -> None:
    first = ended(instance, NOON + SECOND)
    found, cursor = looked(START, instance)
    assert found == [first]
    assert looked(cursor, instance)[0] == []
    second = ended(instance, NOON + 2 * SECOND, "failure")
    found, cursor = looked(cursor, instance)
    assert found == [second]
    for minutes in (3, 30, 300):
        later = ended(instance, NOON + minutes * MINUTE)
        found, cursor = looked(cursor, instance)
        assert found == [later]
        assert looked(cursor, instance)[0] == []


def test_runs_that_ended_before_the_first_look_are_not_told(instance: dg.DagsterInstance) -> None:
    ended(instance, NOON - SECOND, "failure")
    assert looked(START, instance)[0] == []
    after = ended(instance, NOON + SECOND)
    assert looked(START, instance)[0] == [after]


def test_two_runs_that_ended_in_the_same_instant_both_come(instance: dg.DagsterInstance) -> None:
    first = ended(instance, NOON + SECOND)
    found, cursor = looked(START, instance)
    second = ended(instance, NOON + SECOND)
    assert (found, looked(cursor, instance)[0]) == ([first], [second])
    both = [ended(instance, NOON + 2 * SECOND) for _ in range(2)]
    _, cursor = looked(cursor, instance)
    assert looked(cursor, instance)[0] == []
    assert set(looked(START, instance)[0]) == {first, second, *both}


def test_a_run_whose_end_is_stored_after_that_of_a_later_one_still_comes(instance: dg.DagsterInstance) -> None:
    found, cursor = looked(START, instance)
    later = ended(instance, NOON + 10 * MINUTE)
    found, cursor = looked(cursor, instance)
    assert found == [later]
    earlier = ended(instance, NOON + 10 * MINUTE - 90 * SECOND, "failure")
    assert looked(cursor, instance)[0] == [earlier]


def test_many_runs_come_a_part_at_a_time_and_none_is_left_out(instance: dg.DagsterInstance) -> None:
    runs = [ended(instance, NOON + (1 + number // 3) * SECOND) for number in range(47)]
    found: list[str] = []
    sizes, cursor = [], START
    for _ in range(4):
        part, cursor = looked(cursor, instance)
        sizes.append(len(part))
        found += part
    assert sizes == [20, 20, 7, 0]
    assert sorted(found) == sorted(runs)
    moments = {run: number // 3 for number, run in enumerate(runs)}
    assert [moments[run] for run in found] == sorted(moments.values())


def test_what_is_remembered_does_not_grow_for_ever(instance: dg.DagsterInstance) -> None:
    cursor = START
    for minute in range(1, 31):
        ended(instance, NOON + minute * MINUTE)
        _, cursor = looked(cursor, instance)
    assert len(cursor.known) <= 5


# --- the sensor, over runs that really ran

_BROKEN: list[str] = []


@dg.op
def speak() -> None:
    if _BROKEN:
        raise dg.Failure(_BROKEN[0], allow_retries=False)


@dg.job(executor_def=dg.in_process_executor)
def talk() -> None:
    speak()


class Listener:
    """The sensor, and what it stored to be said."""

    def __init__(self, instance: dg.DagsterInstance, operations: Operations) -> None:
        self.instance, self.operations = instance, operations
        self.cursor: str | None = None
        self.look()

    def look(self) -> str:
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"operations": self.operations}
        ) as context:
            data = tell_of_runs.evaluate_tick(context)
        self.cursor = data.cursor
        return data.skip_message or ""

    def told(self) -> list[tuple[str, str]]:
        """Title and first line of every message, oldest first."""
        with self.operations.read() as connection:
            return [(m.title, m.lines[0]) for m in reversed(list_messages(connection, OutboxFilter()))]


def run(instance: dg.DagsterInstance, broken: Sequence[str] = ()) -> str:
    _BROKEN[:] = broken
    return talk.execute_in_process(instance=instance, raise_on_error=False).run_id


def test_failure_and_recovery_between_two_looks_are_told_in_their_order(
    instance: dg.DagsterInstance, operations: Operations
) -> None:
    run(instance, ["it broke before anybody listened"])
    listener = Listener(instance, operations)
    run(instance, ["it broke"])
    run(instance)
    run(instance, ["it broke again"])
    assert listener.look() == "noted 3 runs"
    titles = [("talk failed", "speak: it broke"), ("talk succeeds again",), ("talk failed", "speak: it broke again")]
    assert [told[: len(wanted)] for told, wanted in zip(listener.told(), titles, strict=True)] == titles
    assert listener.look() == "noted 0 runs"
    assert len(listener.told()) == 3


def test_a_cancelled_run_is_told_and_so_is_the_next_that_succeeds(
    instance: dg.DagsterInstance, operations: Operations
) -> None:
    listener = Listener(instance, operations)
    instance.report_run_canceled(instance.create_run_for_job(talk, status=dg.DagsterRunStatus.STARTED))
    listener.look()
    assert listener.told() == [("talk failed", "talk: it was cancelled before it was done")]
    run(instance)
    listener.look()
    assert [title for title, _ in listener.told()] == ["talk failed", "talk succeeds again"]
