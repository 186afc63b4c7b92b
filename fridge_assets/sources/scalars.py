"""Single values as they are delivered, in SQL: what is nothing, a number, yes or no."""

from fridge_assets.sources.rows import identifier
from fridge_assets.sources.source import Source
from fridge_assets.stores.frames import text_literal

_NUMBER_TYPES = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN",
)  # fmt: skip
_NULL_WORDS = "(?i)(null|none|na|n/a|-)?"
_LONGEST_NULL_WORD = 4


def number_sql(theirs: str, type_: str, source: Source) -> str:
    """SQL of a delivered number; null where it is none."""
    if source.decimal == "." and not is_number(type_) and not source.nothing:
        # Words that mean nothing are no numbers: most values need no look at them.
        return f"TRY_CAST(src.{identifier(theirs)}::VARCHAR AS DOUBLE)"
    present = present_sql(theirs, type_, source)
    if source.decimal == "." or is_number(type_):
        return f"TRY_CAST({present} AS DOUBLE)"
    # A point is no decimal mark there, and what it is instead nobody has said.
    return f"CASE WHEN NOT contains({present}, '.') THEN TRY_CAST(replace({present}, ',', '.') AS DOUBLE) END"


def present_sql(theirs: str, type_: str, source: Source) -> str:
    """SQL of a delivered value; null for what the source and the usual words say is nothing."""
    column = f"src.{identifier(theirs)}"
    if is_number(type_):
        numbers = ", ".join(repr(number) for number in map(_number, source.nothing) if number is not None)
        return f"CASE WHEN {column} NOT IN ({numbers}) THEN {column} END" if numbers else column
    text = f"trim({column}::VARCHAR)"
    # Not NOT IN: it costs DuckDB half a second of planning per file, and most values are longer than these words.
    is_nothing = f"length({text}) <= {_LONGEST_NULL_WORD} AND regexp_full_match({text}, '{_NULL_WORDS}')"
    if source.nothing:
        is_nothing = f"({is_nothing}) OR {text} IN ({', '.join(map(text_literal, source.nothing))})"
    return f"CASE WHEN NOT ({is_nothing}) THEN {text} END"


def boolean_sql(text: str, number: str) -> str:
    """SQL of yes or no from a word or a number."""
    zero_or_one = f"CASE {number} WHEN 0 THEN false WHEN 1 THEN true END"
    words = (
        f"CASE WHEN lower({text}) IN ('on', 'open') THEN true WHEN lower({text}) IN ('off', 'closed') THEN false END"
    )
    return f"coalesce(TRY_CAST({text} AS BOOLEAN), {zero_or_one}, {words})"


def is_number(type_: str) -> bool:
    """Whether a DuckDB type holds numbers."""
    return type_.split("(", maxsplit=1)[0] in _NUMBER_TYPES


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
