"""How fast we are, measured in turn with a plain reference: `opengato bench`."""
