"""Entities as tables, and what their values are made of."""
