"""Names for runs and for ensembles of runs, each with a history of versions."""
