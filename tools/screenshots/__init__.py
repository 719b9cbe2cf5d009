"""Pictures of the demo in a real browser, to look at and for the README."""
