"""The exits of a trained network: what `genome exits` finds, measures, draws and writes."""
