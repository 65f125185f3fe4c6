"""MQTT: the station bus (authorization messages of other services), and the broker of the house.

Imported only when ``mqtt.enabled`` or ``house.enabled``. A window like the control API: it posts
events to the one runtime and reads its snapshots.
"""
