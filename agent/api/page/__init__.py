"""The technician's page: what the box does, in words, and what a person may do about it.

Written by the server, so that it can be read without scripts; a small script only puts newer parts
in place. Every viewer has logged in with a token of the control API.
"""
