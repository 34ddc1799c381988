"""The worker: claims runs, trains them in a process of its own, and is watched over."""
