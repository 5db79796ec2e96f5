"""Hydra presets. No code lives here; the file lets Hydra find the folder."""
