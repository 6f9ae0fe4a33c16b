resource "aws_athena_workgroup" "analysts" {
  name = "analytics-team"
}

resource "aws_athena_workgroup" "dbt" {
  name = "datalake-dbt"
}
