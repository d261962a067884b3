"""The Management API: the use cases of `admin` as JSON over HTTPS, in a process of its own."""
