"""The YAML reader: the core schema of YAML 1.2, values with their line numbers, bounded in size and depth."""
