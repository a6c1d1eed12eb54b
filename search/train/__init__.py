"""`genome train`: one genome trained in full."""
