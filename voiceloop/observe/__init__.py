"""What whoever runs a server sees of its calls: metrics and logs."""
