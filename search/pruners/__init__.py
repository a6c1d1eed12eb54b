"""How far a trial is trained: rules at rungs, brackets, pauses and promotions, learning curves."""
