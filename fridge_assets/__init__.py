"""Serve anomaly models for a refrigeration fleet in production, as a Dagster asset graph."""
