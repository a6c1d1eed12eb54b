"""The published networks, as genomes."""
