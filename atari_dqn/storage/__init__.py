"""State on disk, whole or not at all. Read in this order: checkpoint, frame_store, saver."""
