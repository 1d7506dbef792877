"""Measurements against the state of the art: `python -m benchmarks.NAME [--quick] [--json]`."""
