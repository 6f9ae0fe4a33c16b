"""A trustworthy data lake from raw files: landing, checking and asking, beside the dbt project."""
