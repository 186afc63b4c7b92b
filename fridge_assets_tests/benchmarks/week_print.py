"""The figures of the simulated week on the screen, targets last."""

from typing import Any

from rich.console import Console

from fridge_assets.alert_quality.deadlines import sla_table
from fridge_assets_tests.benchmarks.targets import print_targets
from fridge_assets_tests.benchmarks.week_report import Week, by_severity, leads, load, table_of
from fridge_assets_tests.benchmarks.week_targets import targets_of


def print_week(week: Week, console: Console) -> dict[str, Any]:
    """Print the tables; returns the figures, and the names of the targets that were ``missed``."""
    figures = load(week)
    tables = {
        "faults": ("Alerts of MEDIUM or higher until the failure; leads are medians in hours", leads(week)),
        "severities": ("What was told, and whether the device had a fault", by_severity(week)),
        "sla": ("Deadlines, with one operator", sla_table(week.work, week.ends)),
    }
    for title, frame in tables.values():
        console.print(table_of(title, frame))
    console.print(
        f"{figures['told_per_day']:.1f} alerts of MEDIUM or higher a day, {figures['told_per_day_before']:.1f} by the "
        f"rules of before, at most {figures['most_in_a_day']:.0f} in a day (budget {week.settings.alert_budget}); "
        f"{figures['suppressed_share']:.0%} of {figures['rows']:,.0f} rows were kept for audit only."
    )
    targets = targets_of(week)
    missed = print_targets(targets, console)
    records = {name: frame.to_dict(orient="records") for name, (_, frame) in tables.items()}
    return figures | records | {"targets": [one._asdict() for one in targets], "missed": missed}
