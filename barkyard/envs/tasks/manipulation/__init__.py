"""Manipulation with an arm and a gripper."""
