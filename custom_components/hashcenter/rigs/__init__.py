"""Rigs without a transport: what they say, what is shown of them, how they are asked."""
