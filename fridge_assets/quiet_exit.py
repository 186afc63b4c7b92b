"""Ends the executor's fork server without a word.

It has nothing to clean up, and DuckDB's binding would print pages about references that Dagster and torch still hold
when its interpreter is torn down. The steps themselves are forks, which end without this.
"""

import atexit
import os

atexit.register(os._exit, 0)
