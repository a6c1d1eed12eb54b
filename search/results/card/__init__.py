"""The model card of an export: its text, its pictures, and what model hubs read."""
