"""What can be taken from the dashboard: all trials as CSV or JSON, and a study as one file, to print and to send."""
