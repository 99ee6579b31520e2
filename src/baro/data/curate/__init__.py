"""Choosing instruction rows: scores that need no model, and the selections over any scores."""
