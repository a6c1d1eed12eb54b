"""What differs between Linux, macOS and Windows. The rest of the project asks here and names no system.

Each function looks for what it needs, not for the name of the system, so that a Linux without it behaves like the
system that never has it.
"""
