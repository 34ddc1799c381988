"""Losses by themselves: try one before training with it."""
