"""The command line, the demo and the bench: the composition root. Nothing imports this."""
