"""Signals between people, as they happen: presence, typing, reactions, "your story is there"."""
