"""Instances in files: CSV, Parquet, Arrow, NPY, or a line of JSON for each; read some rows at a time."""
