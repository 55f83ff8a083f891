"""Figures and the results page."""
