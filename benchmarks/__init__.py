"""What is measured, and what it is compared with. `python -m benchmarks` prints the ratios of one run."""
