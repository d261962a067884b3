"""The directory file: written by administrators, read by every worker."""
