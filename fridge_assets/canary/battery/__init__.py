"""What every candidate must pass before a release: healthy states stay quiet, known faults are not lost (SPEC 3.1)."""
