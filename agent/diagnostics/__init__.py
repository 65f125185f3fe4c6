"""What helps a help desk: the support bundle, who makes it, and how it gets there."""
