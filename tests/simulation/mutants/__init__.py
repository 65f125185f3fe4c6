"""Deliberate mistakes in the agent, to see that the simulation finds them (``make mutants``)."""
