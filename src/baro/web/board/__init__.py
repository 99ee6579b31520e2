"""A live page over run folders; it reads their files and nothing else."""
