"""Acute failures, seen in the readings themselves within two minutes, without Dagster (SPEC 5)."""
