"""Films of games. Read in this order: record, camera, writers, gif, panel, best_game."""
