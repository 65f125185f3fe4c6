"""What is written about the commands, made from the command line itself."""
