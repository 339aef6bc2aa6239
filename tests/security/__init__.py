"""What has gone wrong in systems of this kind, each as a test; docs/security.md tells which test proves what."""
