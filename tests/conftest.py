"""Settings of all tests."""

from hypothesis import settings

# Two processes share two cores: an example that waits its turn is no failure. Speeds have tests of their own.
settings.register_profile("shared cores", deadline=None)
settings.load_profile("shared cores")
