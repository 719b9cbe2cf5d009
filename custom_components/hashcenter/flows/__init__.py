"""Everything that a person sets up: forms of rigs, rooms, circuits, agents and the house."""
