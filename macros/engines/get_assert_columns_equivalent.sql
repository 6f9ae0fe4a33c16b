{#- In place of dbt's own, which asks the engine for the types of the YAML too: on Athena, a query a model. -#}
{% macro athena__get_assert_columns_equivalent(sql) -%}
    {%- set built = format_columns(get_column_schema_from_query(sql, config.get('sql_header'))) -%}
    {%- set declared = [] -%}
    {%- for column in model.columns.values() -%}
        {%- set type = dml_data_type(column.data_type).split('(')[0].upper() -%}
        {%- do declared.append({
            'name': column.name, 'data_type': type, 'formatted': column.name.lower() ~ ' ' ~ type
        }) -%}
    {%- endfor -%}
    {%- if built | map(attribute='formatted') | sort != declared | map(attribute='formatted') | sort -%}
        {%- do exceptions.raise_contract_error(declared, built) -%}
    {%- endif -%}
{%- endmacro %}
