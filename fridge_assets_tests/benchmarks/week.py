"""A week of a fleet: what is found, how early, how often in vain, and whether people keep up (SPEC 6, 10).

``python -m fridge_assets_tests.benchmarks.week [--seed N] [--devices N] [--days N]``, about 45 minutes on two cores.

2,000 devices of old and new kinds, every kind of fault, three days to learn from and seven days that are replayed as
they would have come:
each hour's readings land, the stream takes them a quarter of an hour at a time, the hourly cycle runs at minute 3 and
the daily one at 03:00, and a crew of one operator acts on what it is told (``week_crew``). Everything goes through the
jobs, rules and stores that production uses; only the clock is simulated.

Nothing is repaired before it fails; who works on a device that has failed takes it out of service.

Beside what was told it prints what the rules of before there were incidents would have told of the same evidence
(``week_old_rules``), fault by fault. Both kinds of machine are shown apart. The targets are in ``week_targets``, for
the machines that never stop; exit code 1 when one is missed.

All figures are conditional on the simulator, see ``quality``.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import track

from fridge_assets.alert_quality.deadlines import work_since
from fridge_assets.automation.cycles import daily_cycle, hourly_cycle, train_models
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.together import Fleet as Sites
from fridge_assets.readings.landed import stage_files
from fridge_assets.running.instance import open_instance
from fridge_assets.settings import Settings
from fridge_assets.simulation import Fleet
from fridge_assets.simulation.arrival import Arrivals
from fridge_assets.simulation.fault_plan import FaultTiming
from fridge_assets.simulation.faults import FAULT_KINDS, FaultShare
from fridge_assets.simulation.landing_files import landing_file, write_readings, write_registry
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.engine import Engine
from fridge_assets.streaming.fleet import FleetKnowledge
from fridge_assets.streaming.observed import observed_in, storm_rule
from fridge_assets.streaming.rules import RULES
from fridge_assets_tests.benchmarks.kinds import MIX, add_machines_option, held_to, kind_of, registry_of
from fridge_assets_tests.benchmarks.week_crew import Crew
from fridge_assets_tests.benchmarks.week_print import print_week
from fridge_assets_tests.benchmarks.week_report import Week
from fridge_assets_tests.benchmarks.week_told import told_since
from fridge_assets_tests.incidents.observing.stored import stored_alerts

DEVICES, DAYS, LEARNED = 2000, 7, 3
FAULTY = 0.065
"""Half a percent of the fleet for each of the thirteen kinds."""
SEED = 34
"""Nothing was tuned on it."""
START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY, SLICE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=15)
RESULTS = Path("bench-results")

CONSOLE = Console(width=None if sys.stdout.isatty() else 120)


@dataclass
class Clockwork:
    """The fleet, its stores and who works on them, at simulated times.

    Args:
        settings: of the data folder.
        fleet: sends readings.
        operations: incidents.
    """

    settings: Settings
    fleet: Fleet
    operations: Operations

    def __post_init__(self) -> None:
        streaming = self.settings.streaming
        self._arrivals = Arrivals(self.fleet)
        self._engine = Engine(streaming, threads=streaming.threads, memory_limit=streaming.memory_limit)
        self._knowledge = FleetKnowledge(self.settings.root, self.operations)

    def land(self, start: datetime, out_of_service: Mapping[str, datetime] = MappingProxyType({})) -> None:
        """The readings that arrive in the hour from ``start``, as a landing file that is staged for the stream."""
        path = landing_file(self.settings.landing_dir, start, start + HOUR)
        write_readings(of_those_in_service(self._arrivals.between(start, start + HOUR), out_of_service), path)
        (landed,) = [file for file in Landing(self.settings.landing_dir, self.operations).files() if file.path == path]
        refused, _ = stage_files(self._engine.connection, [landed], self.settings.readings, self.settings.sources_dir)
        _require_success(dict(refused))

    def learn(self, start: datetime) -> None:
        """Let the stream take the staged hour only to learn what is usual."""
        self._knowledge.follow(self._engine, start)
        self._engine.take(_arrived(start, start + HOUR))

    def stream(self, start: datetime, crew: Crew) -> None:
        """Let the stream take the staged hour as it arrived, and speak; the crew acts on it as time passes."""
        self._knowledge.follow(self._engine, start)
        for number in range(HOUR // SLICE):
            since, until = (start + n * SLICE for n in (number, number + 1))
            crew.work_until(until)
            changes = self._engine.take(_arrived(since, until))
            sites = Sites(self._knowledge.site_sizes, storm_rule(self.settings.streaming))
            observed = observed_in(changes, self._knowledge.sites, self.settings)
            with self.operations.transaction() as transaction:
                observe(transaction, observed, sites, until, self.settings.alerts)

    def close(self) -> None:
        """Let go of the stream's memory."""
        self._engine.close()


def of_those_in_service(readings: pa.Table, out_of_service: Mapping[str, datetime]) -> pa.Table:
    """The readings but for those of a device from the moment on since which it is ``out_of_service``."""
    for device, since in out_of_service.items():
        own = pc.equal(readings["device_id"], device)
        after = pc.greater_equal(readings["timestamp_ingested"], pa.scalar(since, pa.timestamp("us", tz="UTC")))
        readings = readings.filter(pc.invert(pc.and_(own, after)))
    return readings


def _arrived(since: datetime, until: datetime) -> str:
    sensors = ", ".join(rule.sensor for rule in RULES.values())
    return (
        "SELECT device_id, '' AS part, 0 AS delivery, rowid AS arrival, timestamp_utc, timestamp_ingested, "
        f"{sensors}, defrost_cycle FROM staged WHERE reason IS NULL "
        f"AND timestamp_ingested >= TIMESTAMPTZ '{since.isoformat()}' "
        f"AND timestamp_ingested < TIMESTAMPTZ '{until.isoformat()}'"
    )


def week_fleet(
    devices: int,
    days: int,
    seed: int,
    *,
    faulty: float = FAULTY,
    learned: int = LEARNED,
    machines: str = MIX,
) -> Fleet:
    """A fleet with ``faulty`` of its devices spread over all kinds of fault, none of them while it is learned."""
    span = (learned + days) * DAY
    timing = FaultTiming(earliest_onset=learned * DAY / span, full_from=0.45, full_to=1 - 16 * HOUR / span)
    shares = tuple(FaultShare(kind, faulty / len(FAULT_KINDS)) for kind in FAULT_KINDS) if faulty else ()
    return Fleet(registry_of(devices, seed, machines), seed, START, START + span, shares, timing)


def live_through(folder: Path, fleet: Fleet, learned: int = LEARNED) -> Week:
    """Simulate, learn for some days, and live through the rest in ``folder``.

    Raises:
        RuntimeError: a step of a cycle failed.
    """
    settings = Settings(data_dir=folder)
    write_registry(fleet.registry, settings.root / "device_registry.csv")
    operations = Operations(settings.operations_database, settings.operations.lock_wait)
    clockwork = Clockwork(settings, fleet, operations)
    crew = Crew(operations, settings, fleet.ground_truth, fleet.seed)
    begins = fleet.start + learned * DAY
    for hour in track(list(_hours(fleet.start, begins)), f"{learned} days to learn from", console=CONSOLE):
        clockwork.land(hour)
        clockwork.learn(hour)
    with open_instance(settings) as instance:
        with CONSOLE.status("training four models"):
            _require_success(train_models(instance, None, begins + timedelta(minutes=3), in_process=True).failures)
        days = (fleet.end - begins) // DAY
        for hour in track(list(_hours(begins, fleet.end)), f"{days} days, hour by hour", console=CONSOLE):
            clockwork.land(hour, crew.out_of_service)
            clockwork.stream(hour, crew)
            moment = hour + HOUR + timedelta(minutes=3)
            crew.work_until(moment)
            cycle = (daily_cycle if moment.hour == 3 else hourly_cycle)(instance, moment, in_process=True)
            _require_success(cycle.score.failures | cycle.publish.failures)
    clockwork.close()
    return _what_happened(settings, operations, fleet, begins, fleet.end)


def _what_happened(settings: Settings, operations: Operations, fleet: Fleet, begins: datetime, ends: datetime) -> Week:
    with operations.read() as connection:
        work, told = work_since(connection, begins), told_since(connection, begins)
    with Warehouse.from_settings(settings).read() as connection:
        windows = connection.execute("SELECT count(DISTINCT window_end) FROM model_scores").fetchall()[0][0]
    alerts = stored_alerts(operations)
    kinds = kind_of(fleet.registry)
    return Week(fleet.ground_truth, alerts, work, told, kinds, begins, ends, int(windows), settings.alerts)


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += HOUR


def _require_success(failures: dict[str, str]) -> None:
    for step, reason in failures.items():
        raise RuntimeError(f"{step} failed: {reason}")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; 0 when the targets are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the simulated fleet (default {SEED})")
    parser.add_argument("--devices", type=int, default=DEVICES, help=f"in the fleet (default {DEVICES})")
    parser.add_argument("--days", type=int, default=DAYS, help=f"that are lived through (default {DAYS})")
    add_machines_option(parser)
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fridge-week-") as folder:
        fleet = week_fleet(chosen.devices, chosen.days, chosen.seed, machines=chosen.machines)
        week = live_through(Path(folder), fleet)
    figures = {}
    for kind, own in week.apart().items():
        CONSOLE.rule(f"machines that are {kind}")
        figures[kind] = print_week(own, CONSOLE)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"week-seed-{chosen.seed}.json"
    file.write_text(json.dumps(figures, indent=2, default=str))
    CONSOLE.print(f"Results: {file}. Seed {chosen.seed}, {time.monotonic() - began:.0f} s.")
    return 1 if figures[held_to(week.kinds)]["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
