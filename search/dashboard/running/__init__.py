"""What a search does now: its workers over time, what the budget went on, which sampler acts, and a log of events."""
