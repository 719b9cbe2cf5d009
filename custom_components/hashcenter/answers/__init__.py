"""Questions: what a model reads, which rig answers, and what its answer means."""
