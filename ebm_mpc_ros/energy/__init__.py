"""Energies, their scores, Langevin sampling, and plans as samples."""
