"""The files of the published data sets: downloaded, copied, checked and read."""
