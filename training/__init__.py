"""Collecting demonstrations, the episode store, the mixture, the trainer, fine-tuning. Knows no task by name."""
