"""Closed loop on building models: houses, their electricity, and the controllers that heat them."""
