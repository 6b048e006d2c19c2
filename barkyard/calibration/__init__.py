"""Real-to-sim calibration: from logs of a robot to parameters of its model, with what is uncertain about them."""
