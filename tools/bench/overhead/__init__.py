"""What Hashcenter itself costs, beside what does only a part of its work.

Three measurements, each a ratio within one run on one machine; the figures and their method are in
docs/bench.md.
"""
