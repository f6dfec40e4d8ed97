"""What lies in the inbox and is ready: events, scans, settling and retries."""
