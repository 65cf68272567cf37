"""Fast operations: each folder holds one, with a plain torch reference."""
