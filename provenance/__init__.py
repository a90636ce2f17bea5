"""Where a file came from, what it is made of, and who allowed it to be used."""
