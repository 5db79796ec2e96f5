"""Presets: `preset=name` on the command line."""
