"""Tests of `barkyard.evaluation`."""
