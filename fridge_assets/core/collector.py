"""How much Python's garbage collector has to look through.

Importing the graph makes half a million objects that live as long as the process. With Python's own settings the
collector looks through them again and again, for a quarter of the time that the imports take, and then for a quarter
of a second whenever a step has made many objects of its own.
"""

import gc

_OBJECTS = 50_000
"""How many more there are before the collector looks at the youngest; Python's default is 700."""


def collect_rarely() -> None:
    """Collect less often in this process from now on; call it before the imports."""
    gc.set_threshold(_OBJECTS)


def keep_what_was_imported() -> None:
    """Leave every object that there is now alone; call it after the imports. A fork does not copy them then either."""
    gc.freeze()
