{#- The part of a raw file's path that says when it arrived, `year=.../hour=HH/name`: later arrivals sort higher,
    whatever the data set and the producer. -#}
{% macro arrival(source_file) -%}
    substr({{ source_file }}, greatest(strpos({{ source_file }}, 'year='), 1))
{%- endmacro %}
