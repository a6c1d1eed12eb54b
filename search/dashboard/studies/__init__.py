"""Studies as the dashboard reads them from their storage."""
