"""Deterministic identities: UUIDv5 of a row's natural key, the same from Python and from SQL."""

import uuid

NAMESPACE = uuid.UUID("5f3c1d0a-6a0e-5b52-9a54-0f6f1b8c7e21")
"""The product's own namespace; changing it renames every row ever written."""


def deterministic_id(*parts: object) -> str:
    """UUIDv5 of ``parts`` joined by ``|``."""
    return str(uuid.uuid5(NAMESPACE, "|".join(str(part) for part in parts)))


def deterministic_id_sql(text_expression: str) -> str:
    """DuckDB expression for the UUIDv5 of ``text_expression``, equal to :func:`deterministic_id` of the same text."""
    digest = f"sha1('{_blob_literal(NAMESPACE.bytes)}'::BLOB || encode({text_expression}))"
    # RFC 9562 section 5.5: version 5 in the 13th hex digit, variant 10 in the top bits of the 17th.
    return (
        f"list_transform([{digest}], lambda h: concat(h[1:8], '-', h[9:12], '-5', h[14:16], '-', "
        "['8','9','a','b'][(('0x' || h[17])::INTEGER % 4) + 1], h[18:20], '-', h[21:32]))[1]"
    )


def _blob_literal(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)
