"""Pruners: how far a trial is trained. Rules at rungs, brackets, pauses, promotions, forecasts of learning curves."""
