"""Serve anomaly models for a refrigeration fleet in production, as a Dagster asset graph."""

from fridge_assets.core.collector import collect_rarely

# Before anything else is imported, in every process: also those of Dagster's daemon, which begin in Dagster's code.
collect_rarely()
