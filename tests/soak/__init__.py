"""The agent for a long time: a day in virtual time, minutes in real time with random faults."""
