"""The plant: a MuJoCo robot, its sensors, the courses it drives."""
