"""The studies in a browser: read-only, on this machine."""
