package Test::NgxCommerce::Schema;

# Copyright (C) ngx_commerce authors
#
# As much of JSON Schema (draft 7) as this project's schemas use.
#
#   my $wrong = invalid($schema, $value);       # where and why the value does not fit, or undef

use strict;
use warnings;

use B ();
use Exporter qw(import);
use JSON::PP ();

our @EXPORT_OK = qw(invalid);


sub invalid
{
    my ($schema, $value) = @_;

    return check($schema, $schema, $value, '');
}


sub check
{
    my ($root, $schema, $value, $path) = @_;

    return $schema ? undef : "$path: not allowed" if JSON::PP::is_bool($schema);

    if (my $ref = $schema->{'$ref'}) {
        my $target = $root;

        $target = $target->{$_} // die "no $ref\n" for grep { $_ ne '#' } split m{/}, $ref;
        return check($root, $target, $value, $path);
    }

    if (defined(my $type = $schema->{type})) {
        return "$path: type" unless grep { is_type($value, $_) } ref $type ? @$type : $type;
    }

    if (exists $schema->{const}) {
        return "$path: const" if !defined $value || ref $value || $value ne $schema->{const};
    }

    if (my $enum = $schema->{enum}) {
        return "$path: enum" unless defined $value && !ref $value && grep { $_ eq $value } @$enum;
    }

    for my $part (@{$schema->{allOf} || []}) {
        my $wrong = check($root, $part, $value, $path);

        return $wrong if defined $wrong;
    }

    if (my $one = $schema->{oneOf}) {
        my $fits = grep { !defined check($root, $_, $value, $path) } @$one;

        return "$path: oneOf" if $fits != 1;
    }

    if ($schema->{if} && !defined check($root, $schema->{if}, $value, $path)) {
        my $wrong = check($root, $schema->{then}, $value, $path);

        return $wrong if defined $wrong;
    }

    return check_object($root, $schema, $value, $path) if ref $value eq 'HASH';
    return check_array($root, $schema, $value, $path) if ref $value eq 'ARRAY';
    return if !defined $value || ref $value;

    return "$path: minimum" if defined $schema->{minimum} && $value < $schema->{minimum};
    return "$path: maximum" if defined $schema->{maximum} && $value > $schema->{maximum};
    return "$path: minLength" if defined $schema->{minLength} && length $value < $schema->{minLength};
    return "$path: maxLength" if defined $schema->{maxLength} && length $value > $schema->{maxLength};
    return "$path: pattern" if defined $schema->{pattern} && $value !~ /$schema->{pattern}/;
    return;
}


sub check_object
{
    my ($root, $schema, $value, $path) = @_;
    my $properties = $schema->{properties} || {};

    for my $name (@{$schema->{required} || []}) {
        return "$path/$name: required" unless exists $value->{$name};
    }

    for my $name (sort CORE::keys %$value) {
        if (!exists $properties->{$name}) {
            return "$path/$name: additional"
                if exists $schema->{additionalProperties} && !$schema->{additionalProperties};
            next;
        }

        my $wrong = check($root, $properties->{$name}, $value->{$name}, "$path/$name");

        return $wrong if defined $wrong;
    }

    return;
}


sub check_array
{
    my ($root, $schema, $value, $path) = @_;

    return "$path: minItems" if defined $schema->{minItems} && @$value < $schema->{minItems};
    return "$path: maxItems" if defined $schema->{maxItems} && @$value > $schema->{maxItems};

    for my $i ($schema->{items} ? 0 .. $#$value : ()) {
        my $wrong = check($root, $schema->{items}, $value->[$i], "$path/$i");

        return $wrong if defined $wrong;
    }

    return;
}


sub is_type
{
    my ($value, $type) = @_;

    return !defined $value if $type eq 'null';
    return ref $value eq 'HASH' if $type eq 'object';
    return ref $value eq 'ARRAY' if $type eq 'array';
    return JSON::PP::is_bool($value) if $type eq 'boolean';
    return 0 if !defined $value || ref $value;

    my $flags = B::svref_2object(\$value)->FLAGS;
    my $number = !($flags & B::SVf_POK) && $flags & (B::SVf_IOK | B::SVf_NOK);

    return $type eq 'string' ? !$number
         : $type eq 'number' ? $number
         : $number && $value == int $value;
}


1;
