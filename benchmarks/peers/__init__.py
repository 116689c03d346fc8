"""The contenders: each a process that trains a family's network and is told when, and how long."""
