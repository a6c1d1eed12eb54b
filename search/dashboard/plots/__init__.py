"""Plots as values and charts as SVG."""
