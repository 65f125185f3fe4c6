"""What the operating system is to the agent: files, rights, log lines, systemd, TLS; and errors."""
