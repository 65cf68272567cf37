"""Which model next, and remembering everything."""
