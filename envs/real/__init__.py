"""Bodies that don't wait: real robots, and the twin that stands in for one."""
