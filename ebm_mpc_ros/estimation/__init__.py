"""The EKF recursion, the order of measurements, and how consistent they are."""
