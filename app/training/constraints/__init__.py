"""Constrained training: declared limits, held inside the compiled loop."""
