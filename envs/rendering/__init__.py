"""Pictures without a graphics library, and with one where a user has it."""
