"""Measurements: one module each, whose `measure()` returns one flat object of figures."""
