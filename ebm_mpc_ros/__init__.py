"""Kalman filter, model-predictive control and energy-based policy on one state-space model."""

__version__ = "0.1.0"
