"""The motifs, one file each. A motif expands to plain nodes and has no module of its own."""
