"""Not the paper: published ideas, off by default."""
