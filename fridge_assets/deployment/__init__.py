"""Which version of a family scores where, since when and why: decisions, kept as a history (SPEC 3)."""
