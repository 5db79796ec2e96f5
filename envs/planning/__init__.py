"""Demonstrators that plan: they try things on a simulator's own state and put it back."""
