"""Smaller networks out of larger ones: one file a method."""
