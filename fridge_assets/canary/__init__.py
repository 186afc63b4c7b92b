"""A staged version beside production: metrics, their noise, a verdict and the gate to a release (SPEC 3.1)."""
