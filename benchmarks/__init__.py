"""What Kerb is measured by: each module prints ratios that were taken in one run."""
