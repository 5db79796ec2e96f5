"""What ships as data. No code lives here; the file lets `importlib.resources` find the folder."""
