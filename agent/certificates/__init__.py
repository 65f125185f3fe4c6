"""What stands in a certificate, and whether one signed the other: the only user of cryptography.

Layer: above ``platform``, below the store. Call it on a worker thread: the first call imports the
library, which takes 12 MB.
"""
