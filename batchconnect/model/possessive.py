"""What this Python's `re` may be trusted with."""

import sys

IS_SOUND = sys.version_info >= (3, 11, 5)
"""
Whether a possessive repetition of a group may be believed.

Before, Python's `re` goes on from the wrong place where one fails (python/cpython issue 106052), as in the
Python of Debian 12.
"""
