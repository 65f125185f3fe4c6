"""OCPP-J without a version: frames, calls, the connection. It names no action of any OCPP."""
