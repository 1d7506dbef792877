"""From any upload to CMAF HLS: probe, ladder, encode, package, previews, durable jobs."""
