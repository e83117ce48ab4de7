"""The worker of the Python handler; see __main__.py."""
