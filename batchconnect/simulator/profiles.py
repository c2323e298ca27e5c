"""The names of the practice profiles: all that `--help` has to know of the simulator."""

PROFILES = ("ambiguous", "badday", "expiry", "flaky", "none", "overload", "throttle")
