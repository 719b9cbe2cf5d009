"""What Hashcenter itself costs: beside the bare runner, beside a GPU exporter, beside MQTT discovery.

Three measurements, each a ratio within one run on one machine; the figures and their method are in
docs/bench.md.
"""
