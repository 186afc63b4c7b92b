"""The history of the operations store's tables, one module in ``versions`` for each step."""

from pathlib import Path

FOLDER = Path(__file__).parent

HEAD = "0011"
"""The newest revision; kept here so that an up-to-date store is recognised without loading alembic."""
