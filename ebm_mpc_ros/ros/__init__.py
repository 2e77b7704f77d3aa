"""The shell that the nodes share."""
