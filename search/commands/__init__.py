"""The commands, grouped by what they do; each module lists its own in COMMANDS."""
