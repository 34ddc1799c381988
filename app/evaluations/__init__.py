"""Figures of a finished run on parts of its data, or on other data, without training again."""
