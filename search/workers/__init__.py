"""Processes that train: the pool, the worker, their messages, their slots on devices."""
