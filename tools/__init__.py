"""What `make` and `.ci/run` need beyond a command line. Not part of the package."""
