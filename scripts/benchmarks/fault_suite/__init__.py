"""Faults done to Barkyard's commands on purpose, and what they cost."""
