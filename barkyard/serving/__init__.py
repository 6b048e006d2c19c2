"""A policy behind a WebSocket, and the client for a robot's control loop."""
