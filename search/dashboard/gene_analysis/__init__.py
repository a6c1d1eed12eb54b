"""What the trials tell about the genes of a space."""
