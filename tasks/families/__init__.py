"""One module per family; importing a module registers its tasks and imports no simulator."""
