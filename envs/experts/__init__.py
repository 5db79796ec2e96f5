"""Demonstrators that were trained: small policies of `assets/experts/`, in numpy."""
