"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A busy machine is no failure: laws have no deadline of their own, tests have pytest's time-out.
settings.register_profile(
    "amaro", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# The same examples at every run: whoever changes something is not told of another's rare defect.
settings.register_profile("same", settings.get_profile("amaro"), derandomize=True)
settings.load_profile("same")
