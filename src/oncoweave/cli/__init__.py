"""The command line: verbs, messages and exit codes; what a verb does is done by run, stages, compiler and release."""
