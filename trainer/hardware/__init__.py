"""Devices, clocks, memory, number formats, and what a device can do."""
