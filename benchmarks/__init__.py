"""What Kerb is measured by: each module prints ratios that were taken in one run."""

import app.training  # noqa: F401  # sets TensorFlow up before a benchmark imports it
