"""Where the states of threads are kept."""
