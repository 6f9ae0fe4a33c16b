"""A local Athena: moto and a real Trino behind the AWS APIs that dbt-athena and other clients use."""
