"""The command line: options to requests, workflows to views, errors to exit codes. No logic of its own."""
