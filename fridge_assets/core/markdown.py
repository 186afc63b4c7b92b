"""Text in Markdown that is shown as it is: names come from files and are never read as markup."""

import re
from typing import Final

_MARKUP: Final = re.compile(r"[\\`*_{}\[\]()#+\-.!|~<>&]")
_MARKUP_IN_A_CELL: Final = re.compile(r"[\\`*\[\]|~<>&]|(?<!\w)_|_(?!\w)")


def escaped(text: str) -> str:
    """``text`` so that Markdown shows it as it is, wherever it stands."""
    return _MARKUP.sub(r"\\\g<0>", text)


def cell(text: str) -> str:
    """``text`` as a cell of a table, on one line; what is markup only where a line begins stays as it is."""
    return _MARKUP_IN_A_CELL.sub(r"\\\g<0>", text).replace("\n", " ")
