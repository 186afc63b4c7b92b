"""Models: families behind one protocol, how they are trained, what their scores mean, and their versions (SPEC 2, 3)."""
