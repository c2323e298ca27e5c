"""File, environment and flags become one frozen `Settings`; this is the door to it."""

from batchconnect.settings.load import Settings, load_settings, settings_under

__all__ = [
    "Settings",
    "load_settings",
    "settings_under",
]
