"""What others measured. Read in this order: scores, curves, aggregates."""
