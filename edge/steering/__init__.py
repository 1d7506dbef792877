"""HLS Content Steering at the edge: what players are told, and the tags that have them ask."""
