"""Rooms heated by watts, in a closed loop on two building models beside other controllers.

Seeded houses of 14 winter days: ours, hysteresis, TPI and the ideal heater (tests/heating).
"""
