"""The study database: tables, the one writer, and what is read back."""
