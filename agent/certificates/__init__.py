"""What stands in a certificate, who signed it, and the keys of this box: alone with cryptography.

Layer: above ``platform``, below the store. Call it on a worker thread: the first call imports the
library, which takes 12 MB.
"""
