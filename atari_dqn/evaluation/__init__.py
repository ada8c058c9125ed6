"""Games played to measure an agent."""
