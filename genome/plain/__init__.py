"""A network in plain PyTorch: its calls for an image, and a file of source that makes them without this package."""
