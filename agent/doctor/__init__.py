"""The doctor: walks what a box needs to work, and names the step that breaks and what to do."""
