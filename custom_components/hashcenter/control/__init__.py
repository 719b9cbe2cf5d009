"""Pure decisions of the house: no clock, no chance, no Home Assistant."""
