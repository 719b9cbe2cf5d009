"""One ASIC as a heater of its own: `decide(state, seen, rules, house, now) -> (state, wanted)`.

Pure like its parent. An ASIC takes minutes to start and wears with every start, it is set over a
network, and other people have a hand on it: its vendor's page, its own protection, a power cut.
"""
