"""The benchmarks: `python -m tests.benchmarks` measures spoolrunner, a bare loop and its peers in one run. No tests."""
