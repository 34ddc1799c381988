"""Pictures of a run: Vega-Lite documents, and what a child process draws of them."""
