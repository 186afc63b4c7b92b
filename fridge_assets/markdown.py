"""Text in Markdown that is shown as it is: names come from files and are never read as markup."""

import re
from typing import Final

_MARKUP: Final = re.compile(r"[\\`*_{}\[\]()#+\-.!|~<>&]")


def escaped(text: str) -> str:
    """``text`` so that Markdown shows it as it is: as no link, picture, HTML or cell of a table."""
    return _MARKUP.sub(r"\\\g<0>", text)
