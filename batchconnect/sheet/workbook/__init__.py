"""A workbook, read by a child process in tight limits; what it finds is looked at a second time."""
