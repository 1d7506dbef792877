"""Web pages: feed, watch and upload, and the small server that hands them out."""
