"""The command line: reads arguments, calls once, shows what happens, returns a code."""
