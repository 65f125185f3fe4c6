"""What looks after the box itself: firmware, diagnostics, self-test, checks."""
