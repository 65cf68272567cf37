"""The files that a user writes: YAML to frozen dataclasses, every problem with its place."""
