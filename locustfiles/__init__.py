"""People who use a running stack: viewers, feed readers, uploaders. One behaviour a file."""
