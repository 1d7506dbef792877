"""What may be stored, under which key, for how long and served how stale. Pure: no I/O."""
