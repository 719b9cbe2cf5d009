"""The wire: the one definition of what rigs and houses say to each other over MQTT 5.

Canonical source: bridge/src/hashcenter_bridge/wire. The integration holds a byte-identical copy,
because it is installed as a bare folder; `./dev wire` writes it and `./dev check` compares it.
"""
