"""Latency that can be believed: measured with care, predicted with an interval, and who decides which."""
