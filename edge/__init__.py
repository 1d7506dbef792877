"""The cache node that serves players: hit path, fills, memory, purge."""
