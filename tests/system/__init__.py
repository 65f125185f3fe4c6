"""The service on a Debian of its own, under a real systemd (``make system-test``)."""
