"""Python runs this as it starts in a job, which would take half of its time to make clients."""

from aws_clients import keep_clients, keep_descriptions

keep_descriptions()
keep_clients()
