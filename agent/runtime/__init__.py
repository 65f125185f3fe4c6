"""The one task that owns the state, what feeds it, and what records its decisions."""
