"""The contenders, each a process that trains a family's network on request."""
