"""A model: what raw rows go through, a network, and what its outputs stand for; and its file."""
