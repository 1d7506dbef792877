"""Web pages and the small server that hands them out; it talks HTTP to everything else."""
