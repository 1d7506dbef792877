"""Who is healthy, what to do about it, and the proof of what was done. Imports none of ours."""
