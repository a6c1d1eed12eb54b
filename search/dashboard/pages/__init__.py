"""The values that each page shows; every page and its JSON twin are made from the same values."""
