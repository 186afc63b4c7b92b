"""Prints the datasets' columns as Markdown: `python -m fridge_assets.contracts.docs > docs/datasets.md`."""

import sys

from fridge_assets import contracts

DATASETS: tuple[contracts.Contract, ...] = (
    contracts.DEVICE_REGISTRY,
    contracts.SENSOR_READINGS,
    contracts.CLEAN_SENSOR_READINGS,
    contracts.QUARANTINED_READINGS,
    contracts.DEVICE_FEATURES,
    contracts.MODEL_SCORES,
    contracts.CANARY_SCORES,
    contracts.CANARY_REPORTS,
    contracts.WITHHELD_SCORES,
    contracts.MODEL_MONITORING,
    contracts.RULES_BASED_FALLBACK,
    contracts.DEVICE_ALERTS,
    contracts.INCIDENTS,
    contracts.INCIDENT_EVENTS,
    contracts.LABEL_EVENTS,
    contracts.ALERT_QUALITY,
    contracts.WORK_ORDERS,
    contracts.SILENCES,
    contracts.DEVICE_STATUS,
    contracts.SITE_STATUS,
)
"""In the order that data flows."""


_INTRODUCTION = """# Datasets

Columns with a star identify a row. Times are UTC.

`fridge-assets export DATASET --to FILE` writes one to Parquet or CSV. In a CSV file a text that begins with `=`, `+`,
`-`, `@`, a tab or a line break, which a spreadsheet would run as a formula, has an apostrophe in front of it; numbers
are numbers. Take Parquet where another program needs every text exactly as it is.

"""


def datasets_page() -> str:
    """Every dataset with its columns, as one Markdown page."""
    sections = [f"## {c.name}\n\n{c.description}\n\n{c.markdown()}\n" for c in DATASETS]
    return _INTRODUCTION + "\n".join(sections)


if __name__ == "__main__":
    sys.stdout.write(datasets_page())
