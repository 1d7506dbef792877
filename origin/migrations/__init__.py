"""Schema changes, applied in order when an origin or a worker starts."""
