"""Model families behind one protocol: training, what a score means, and versions (SPEC 2, 3)."""
