"""The source of truth: uploads, catalog, objects, feed fragments."""
