"""Genomes on the pages: pictures, unfolded motifs, costs of nodes, differences."""
