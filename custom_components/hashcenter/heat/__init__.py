"""Rooms heated by watts: from what is wanted and measured to leases on rigs."""
