{#- A zone's database keeps its name on every target; in a sandbox (schema `sandbox_...`) all zones share the
    person's one database. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none or target.schema.startswith('sandbox_') -%}
        {{ target.schema }}
    {%- else -%}
        {{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
