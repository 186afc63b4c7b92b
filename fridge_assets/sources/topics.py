"""Topics of MQTT with their wildcards."""


def is_topic(text: str) -> bool:
    """Whether ``text`` can be subscribed to: ``+`` stands for a level, ``#`` for all that are left."""
    levels = text.split("/")
    has_part = any(len(level) > 1 and {"+", "#"} & set(level) for level in levels)
    return bool(text) and "#" not in levels[:-1] and not has_part


def fits(wanted: str, topic: str) -> bool:
    """Whether a message of ``topic`` comes to who has subscribed to ``wanted``."""
    levels = wanted.split("/")
    if levels[0] == "$share":
        levels = levels[2:]
    given = topic.split("/")
    if given[0].startswith("$") and levels[0] != given[0]:
        return False
    if levels[-1] == "#":
        levels.pop()
        given = given[: len(levels)]
    return len(levels) == len(given) and all(level in ("+", part) for level, part in zip(levels, given, strict=True))
