"""A shell for agents: where it runs, how it is kept, what comes back."""
