"""The same program on langgraph and on headrace, told apart by nothing but its import root."""
