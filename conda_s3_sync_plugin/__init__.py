"""conda s3-sync: keep conda environments in step through S3."""

from __future__ import annotations

__version__ = "0.1.0"
