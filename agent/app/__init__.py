"""Puts the agent together and runs it: the daemon and the demonstration."""
