"""Bags in, transitions and demonstrations out."""
