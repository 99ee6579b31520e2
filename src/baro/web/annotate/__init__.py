"""Preference data by hand: two answers side by side, blind."""
