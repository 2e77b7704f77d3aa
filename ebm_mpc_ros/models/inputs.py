"""What the inputs of models stand for."""

RATES = {"ax": "vx", "ay": "vy", "alpha": "vyaw", "steering_rate": "steering"}
"""The state that each input is the rate of change of."""
