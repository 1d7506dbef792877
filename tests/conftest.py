"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A busy machine is no failure: laws have no deadline of their own, tests have pytest's time-out.
settings.register_profile(
    "amaro", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("amaro")
