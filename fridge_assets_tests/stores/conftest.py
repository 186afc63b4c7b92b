"""Stores that are made, not copied: how they come to be is what is tested here."""

import pytest


@pytest.fixture(autouse=True)
def copied_stores() -> None:
    """As a program finds it."""
