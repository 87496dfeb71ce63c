"""Results of nodes that are kept and given again."""
