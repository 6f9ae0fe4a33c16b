{#- What the default of an engine macro says: this engine has no version of it. -#}
{% macro unsupported(macro_name) -%}
    {%- if execute -%}
        {{ exceptions.raise_compiler_error(
            "macros/engines/" ~ macro_name ~ ".sql has no version for " ~ adapter.type()
            ~ " yet; build with --target local"
        ) }}
    {%- endif -%}
{%- endmacro %}
