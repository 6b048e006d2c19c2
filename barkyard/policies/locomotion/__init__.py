"""Locomotion policies: regress the next action from a window of states, actions and the newest height scan."""
