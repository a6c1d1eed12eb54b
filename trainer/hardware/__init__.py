"""Devices: clocks, memory, precision, and measured speed."""
