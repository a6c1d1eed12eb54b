"""What to try next: asking samplers, the history that they read, screening, the queue, warm starts."""
