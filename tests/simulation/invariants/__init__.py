"""The promises, one class each, written down from outside: by what happens in the world."""
