"""Settings of the stores."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class WarehouseSettings(Group):
    """DuckDB and the Parquet files beside it."""

    threads: int = Field(2, ge=1, description="DuckDB threads per connection")
    memory_limit: str = Field("2GB", description="DuckDB memory per connection; beyond it DuckDB spills to disk")
    lock_wait: timedelta = Field(
        timedelta(seconds=20), description="how long to wait for another process to release the DuckDB file"
    )


class DiskSettings(Group):
    """Space on the disk of the data folder."""

    reserve: int = Field(
        100 * 2**20, ge=0, description="bytes that must be free for a run, an ingestion or a simulation to begin"
    )
    little: int = Field(5 * 2**30, ge=0, description="`doctor` warns when fewer bytes than this are free")


class OperationsSettings(Group):
    """The database of alerts and other small mutable state."""

    lock_wait: timedelta = Field(
        timedelta(seconds=20), description="how long to wait for another process to finish writing (SQLite)"
    )
