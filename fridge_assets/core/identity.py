"""Deterministic identities: UUIDv5 of a row's natural key, the same from Python and from SQL."""

import hashlib
import uuid
from collections.abc import Iterable

NAMESPACE = uuid.UUID("5f3c1d0a-6a0e-5b52-9a54-0f6f1b8c7e21")
"""The product's own namespace; changing it renames every row ever written."""

SHORT_ID = 8
"""Characters of an id that people see; commands take the beginning of an id."""

SHORTEST_ID = 4
"""Fewer are no beginning of an id: an empty variable in a script must not act on anything."""

# RFC 9562 section 5.5: version 5 in the 13th hex digit, variant 10 in the top bits of the 17th.
_VARIANTS = "89ab"
_NAMESPACE_BYTES = NAMESPACE.bytes


def deterministic_id(*parts: object) -> str:
    """UUIDv5 of ``parts`` joined by ``|``."""
    return _version_5("|".join(map(str, parts)))


def deterministic_ids(firsts: Iterable[str], *rest: object) -> list[str]:
    """:func:`deterministic_id` of each of ``firsts`` followed by ``rest``."""
    ending = "".join(f"|{part}" for part in rest)
    return [_version_5(f"{first}{ending}") for first in firsts]


def _version_5(text: str) -> str:
    """UUIDv5 of ``text`` without a UUID object on the way, which would take three times as long."""
    h = hashlib.sha1(_NAMESPACE_BYTES + text.encode()).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{_VARIANTS[int(h[16], 16) % 4]}{h[17:20]}-{h[20:32]}"


def deterministic_id_sql(text_expression: str) -> str:
    """DuckDB expression for the UUIDv5 of ``text_expression``, equal to :func:`deterministic_id` of the same text.

    The text must not be null.
    """
    digest = f"sha1('{_blob_literal(NAMESPACE.bytes)}'::BLOB || encode({text_expression}))"
    variant = f"{list(_VARIANTS)}[('0x' || substr(h, 17, 1))::INTEGER % 4 + 1]"
    identity = (
        "concat(left(h, 8), '-', substr(h, 9, 4), '-5', substr(h, 14, 3), '-', "
        f"{variant}, substr(h, 18, 3), '-', substr(h, 21, 12))"
    )
    return f"list_transform([{digest}], lambda h: {identity})[1]"


def _blob_literal(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)
