"""Obstacles and courses."""
