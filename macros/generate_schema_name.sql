{#- A zone's database keeps its name on every target; in a sandbox (schema `sandbox_...`) all zones share the
    person's one database, in a pull request's build (`pr_...`) that of the pull request. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none or target.schema.startswith(('sandbox_', 'pr_')) -%}
        {{ target.schema }}
    {%- else -%}
        {{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
