"""Arenas and objects for tasks to be built from."""
