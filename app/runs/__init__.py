"""Runs: what a client posted, how far it is, and what came of it."""
