"""The motifs, one file each: they write plain nodes and have no module of their own."""
