"""The broker of the house: Home Assistant, openWB and others read how this box is, and limit it.

Imported only when ``house.enabled``. Nothing but a limit can be commanded.
"""
