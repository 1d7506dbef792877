"""The composition root: settings, the `amaro` command, and `up`, which runs it all locally."""
