"""The warehouse as the steps of the graph take it: Dagster's DuckDB resource around our own connections."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import PrivateAttr

from fridge_assets.stores.warehouse import Warehouse


class WarehouseResource(DuckDBResource):
    """Dagster's resource for the file of ``warehouse``, which a step gets as the :class:`Warehouse` itself.

    Dagster's own connections stay open on an exception and wait for a lock for minutes; ours close and say who has it.
    """

    _warehouse: Warehouse = PrivateAttr()

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(database=warehouse.database)
        self._warehouse = warehouse

    def create_resource(self, context: dg.InitResourceContext) -> Warehouse:  # noqa: ARG002
        """What steps are given."""
        return self._warehouse

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that closes whatever happens."""
        with self._warehouse.get_connection() as connection:
            yield connection
