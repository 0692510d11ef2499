"""What the program costs, beside what one would use instead: `python -m benchmarks`."""
