{#- Whether a text matches a regular expression as a whole. -#}
{% macro matches_pattern(text, pattern) -%}
    {{ return(adapter.dispatch('matches_pattern')(text, pattern)) }}
{%- endmacro %}

{% macro default__matches_pattern(text, pattern) -%}
    {{ return(unsupported('matches_pattern')) }}
{%- endmacro %}

{% macro duckdb__matches_pattern(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}

{#- Trino's regexp_like searches, and its `$` stands before a last line break too. -#}
{% macro athena__matches_pattern(text, pattern) -%}
    regexp_like({{ text }}, '\A(?:{{ pattern }})\z')
{%- endmacro %}
