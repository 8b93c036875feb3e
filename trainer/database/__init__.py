"""Jobs, uploads and corrections in SQLite or PostgreSQL."""
