"""What a technician does once at a new box: ``init`` configures it, ``acceptance`` tries it."""
