"""
One module per command, each `run(options…) -> exit code`: read arguments, call once, render.

`declared` imports a module here only when its command is given, so that `--help` answers at once.
"""
