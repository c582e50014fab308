"""Speed and quality beside the systems that a person would use instead: `python -m tests.benchmarks`."""
