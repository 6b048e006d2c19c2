"""Experts that turn a cube in hands of many shapes."""
