"""Fewer bits a number: one file a method."""
