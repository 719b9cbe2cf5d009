"""Simulated devices and services: real servers on loopback, hostile on request."""
