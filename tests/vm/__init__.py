"""A box on a kernel's own devices: a Debian under QEMU, the agent installed as documented.

``make vm-test``. Needs root to make the Debian, and no KVM: everything is emulated, about 20 times
slower than this machine, so that every wait is for an event and not for seconds.
"""
