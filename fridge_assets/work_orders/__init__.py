"""Work that alerts ask for, and handing it to the maintenance system (SPEC 6)."""
