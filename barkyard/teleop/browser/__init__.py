"""A page that shows the robot's pictures and takes keys, a gamepad or a SpaceMouse from a person far away."""
