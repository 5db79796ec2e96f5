"""The worlds: one folder per embodiment family. Knows nothing of the agent."""
