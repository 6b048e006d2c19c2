"""Environments: a robot, a controller and a task on one batched engine."""
