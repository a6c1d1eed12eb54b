"""What a study found: ranking, export, references to genomes."""
