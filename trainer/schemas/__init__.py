"""What is asked of the trainer and what it tells: requests, jobs, limits."""
