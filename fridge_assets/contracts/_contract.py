"""The machinery behind every dataset's contract; the datasets themselves live in the plain modules beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # else imported where they are used: a command that only reads its tables starts in half the time
    import numpy as np
    import pandas as pd
    import pyarrow as pa

ColumnType = Literal["text", "timestamp", "double", "integer", "boolean", "text_list", "double_list"]

SQL_TYPES: Mapping[ColumnType, str] = {
    "text": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "double": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "text_list": "VARCHAR[]",
    "double_list": "DOUBLE[]",
}

_SAMPLE_EPOCH = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Column:
    """One column of a dataset.

    Args:
        name: column name.
        type: engine-neutral type; timestamps are UTC and timezone-aware.
        description: one phrase for the docs and the Dagster UI.
        unit: physical unit, empty when there is none.
        nullable: whether null is a legal value.
        minimum: smallest legal value, inclusive.
        maximum: largest legal value, inclusive.
        allowed: the only legal values of a text column.
        max_items: longest legal list of a list column.
    """

    name: str
    type: ColumnType
    description: str
    unit: str = ""
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    max_items: int | None = None

    @property
    def holds_lists(self) -> bool:
        """Whether its values are lists, which Great Expectations has no expectation about."""
        return self.type in ("text_list", "double_list")


@dataclass(frozen=True)
class Contract:
    """A dataset's columns, key and rules: the one source of its table, its validation, its samples and its docs.

    Args:
        name: dataset and table name.
        description: what one row is.
        columns: in the order they are stored.
        key: columns that identify a row.
        ordered: pairs of columns of which the second must be greater than the first.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    ordered: tuple[tuple[str, str], ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in stored order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called ``name``; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}; columns are {', '.join(self.column_names)}")

    @property
    def arrow_schema(self) -> "pa.Schema":
        """The dataset's Arrow schema."""
        import pyarrow as pa  # noqa: PLC0415

        types: dict[ColumnType, pa.DataType] = {
            "text": pa.string(),
            "timestamp": pa.timestamp("us", tz="UTC"),
            "double": pa.float64(),
            "integer": pa.int64(),
            "boolean": pa.bool_(),
            "text_list": pa.list_(pa.string()),
            "double_list": pa.list_(pa.float64()),
        }
        return pa.schema([pa.field(c.name, types[c.type], nullable=c.nullable) for c in self.columns])

    def create_table_sql(self, table: str | None = None) -> str:
        """DuckDB statement that creates the dataset's table where it is missing.

        Args:
            table: table name when it differs from the dataset's, as for the per-model score tables.
        """
        columns = ", ".join(f"{c.name} {SQL_TYPES[c.type]}{'' if c.nullable else ' NOT NULL'}" for c in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {table or self.name} ({columns})"

    def add_column_sql(self, name: str) -> str:
        """DuckDB statement that gives the dataset's table of an earlier release the column that it lacks."""
        return f"ALTER TABLE {self.name} ADD COLUMN IF NOT EXISTS {name} {SQL_TYPES[self.column(name).type]}"

    def to_arrow(self, frame: "pd.DataFrame") -> "pa.Table":
        """``frame`` as an Arrow table in the contract's column order and types.

        Raises:
            KeyError: a column is missing.
            pyarrow.ArrowInvalid: a value does not fit its column's type.
        """
        import pyarrow as pa  # noqa: PLC0415

        return pa.Table.from_pandas(frame[list(self.column_names)], schema=self.arrow_schema, preserve_index=False)

    def empty(self) -> "pd.DataFrame":
        """A frame of the contract's columns and types without rows."""
        frame: pd.DataFrame = self.arrow_schema.empty_table().to_pandas()
        return frame

    def sample(self, rows: int, seed: int = 0) -> "pd.DataFrame":
        """Made-up rows that satisfy the contract, for tests and examples.

        Args:
            rows: number of rows; key columns get distinct values.
            seed: the same seed gives the same rows.
        """
        import numpy as np  # noqa: PLC0415
        import pandas as pd  # noqa: PLC0415

        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({column.name: self._sample_column(column, rows, rng) for column in self.columns})
        for earlier, later in self.ordered:
            frame[later] = frame[earlier] + pd.Timedelta(minutes=15)
        return frame

    def _sample_column(self, column: Column, rows: int, rng: "np.random.Generator") -> object:  # noqa: PLR0911
        import numpy as np  # noqa: PLC0415
        import pandas as pd  # noqa: PLC0415

        low = 0.0 if column.minimum is None else column.minimum
        high = low + 100.0 if column.maximum is None else column.maximum
        match column.type:
            case "text" if column.allowed:
                return rng.choice(np.array(column.allowed, dtype=object), rows)
            case "text":
                return [f"{column.name}-{row:06d}" for row in range(rows)]
            case "timestamp":
                return pd.Series(pd.Timestamp(_SAMPLE_EPOCH) + pd.to_timedelta(np.arange(rows) * 15, unit="min"))
            case "integer":
                return rng.integers(int(low), int(high) + 1, rows)
            case "boolean":
                return rng.random(rows) < 0.5
            case "double":
                return rng.uniform(low, high, rows)
            case "text_list":
                return [["temp_evaporator_mean"] for _ in range(rows)]
            case "double_list":
                return [[float(value)] for value in rng.uniform(low, high, rows)]

    def markdown(self) -> str:
        """The dataset's columns as a Markdown table, for the docs and the asset's description."""
        lines = ["| column | type | unit | meaning |", "|---|---|---|---|"]
        for c in self.columns:
            star = "*" if c.name in self.key else ""
            lines.append(f"| `{c.name}`{star} | {c.type} | {c.unit or '–'} | {c.description} |")
        return "\n".join(lines)
