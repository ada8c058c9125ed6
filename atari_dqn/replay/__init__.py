"""Every frame once, every stack rebuilt from it. Read in this order: layout, index, frames, buffer."""
