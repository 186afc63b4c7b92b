"""Identities are the same from Python, row by row or many at once, and from SQL."""

import uuid
from itertools import count, islice

import duckdb
import pytest

from fridge_assets.core.identity import (
    NAMESPACE,
    deterministic_id,
    deterministic_id_sql,
    deterministic_ids,
)

TEXTS = ["", "d1", "d1|2026-01-01", "Kühlmöbel 7", "冷蔵庫", "it's", 'a "b"\n\t', "x" * 5000, "|", "é" * 33]
MANY = [*TEXTS, *(f"device-{number:06d}" for number in islice(count(), 5000))]


@pytest.fixture(scope="module")
def texts() -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE texts AS SELECT unnest($texts::VARCHAR[]) AS text", {"texts": MANY})
    return connection.table("texts")


def test_identity_is_the_uuid5_of_the_parts() -> None:
    assert deterministic_id("d1", 7, "x") == str(uuid.uuid5(NAMESPACE, "d1|7|x"))
    assert uuid.UUID(deterministic_id("d1")).version == 5
    assert deterministic_id("d1", "x") != deterministic_id("d1x")


def test_sql_gives_the_same_identities_as_python(texts: duckdb.DuckDBPyRelation) -> None:
    found = dict(texts.project(f"text, {deterministic_id_sql('text')}").fetchall())
    assert found == {text: deterministic_id(text) for text in MANY}


@pytest.mark.parametrize("rest", [(), ("2026-01-01T00:00:00+00:00", "isolation_forest_v2"), (1, None)])
def test_many_identities_at_once_are_the_same(rest: tuple[object, ...]) -> None:
    assert deterministic_ids(MANY, *rest) == [deterministic_id(text, *rest) for text in MANY]


def test_all_four_variants_and_all_digits_occur() -> None:
    identities = deterministic_ids(MANY)
    assert {identity[19] for identity in identities} == set("89ab")
    assert {identity[14] for identity in identities} == {"5"}
