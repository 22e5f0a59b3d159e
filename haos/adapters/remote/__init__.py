"""What is streamed to the instances' own Python; nothing here imports the rest of haos."""
