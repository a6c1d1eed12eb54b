"""What to try next: asking samplers, the history they read, screening, known genomes."""
