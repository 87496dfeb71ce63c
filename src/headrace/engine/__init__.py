"""The engine: runs a program, super-step by super-step. It knows nothing of langchain, HTTP or SQL."""
