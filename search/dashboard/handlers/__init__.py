"""The answers to requests, by what they are about: studies, trials, static files, errors."""
