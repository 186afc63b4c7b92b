"""Watching the models: whether scores, features and agreement are still as they should be (SPEC 8)."""
