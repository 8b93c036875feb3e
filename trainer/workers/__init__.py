"""Claims jobs and runs each in a process of its own."""
