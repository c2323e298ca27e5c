"""
The commands as Typer declares them, one module for each panel of the help; what each does is told in `commands/`.

Nothing heavy is imported here: a command imports its module of `commands/` when it is given.
"""
