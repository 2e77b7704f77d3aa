"""Bags, and energies learned from them."""
