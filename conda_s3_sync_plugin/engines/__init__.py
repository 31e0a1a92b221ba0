"""What reads and changes environments: one module for each way to do that."""
