"""Identities are the same from Python and from SQL."""

import uuid

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from fridge_assets.core.identity import deterministic_id, deterministic_id_sql

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(st.lists(TEXT, min_size=1))
@settings(max_examples=30, deadline=None)
def test_sql_and_python_give_every_text_the_same_version_5_uuid(texts: list[str]) -> None:
    with duckdb.connect() as connection:
        sql = f"SELECT {deterministic_id_sql('text')} FROM (SELECT unnest($texts) AS text)"
        from_sql = [row[0] for row in connection.execute(sql, {"texts": texts}).fetchall()]
    assert from_sql == [deterministic_id(text) for text in texts]
    assert {(uuid.UUID(id_).version, uuid.UUID(id_).variant) for id_ in from_sql} == {(5, uuid.RFC_4122)}


def test_parts_are_joined_and_identity_never_changes_between_releases() -> None:
    assert deterministic_id("a", 1) == deterministic_id("a|1")
    assert deterministic_id("device-1", "2026-06-01") == "9a3081a8-eab9-5294-a145-ec2342138a02"
