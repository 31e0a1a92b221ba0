"""S3 servers to test against: each is started here, on loopback, and ends with us."""
