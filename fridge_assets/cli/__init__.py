"""The command line: `fridge-assets` (SPEC 9)."""

from fridge_assets.cli.entry import main

__all__ = ["main"]
