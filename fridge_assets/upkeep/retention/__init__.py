"""How long what a running fleet writes is kept, and removing what is older."""
