"""The station bus: authorization messages over MQTT for the other services of the station.

Imported only when ``mqtt.enabled``. A window like the control API: it posts events to the one
runtime and reads its snapshots.
"""
