"""Answers to the calls of the central system, one module per feature profile."""
