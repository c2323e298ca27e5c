"""What stands in sandboxes as a sheet, and how far a sheet is from it; the service is only read."""
