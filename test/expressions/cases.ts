import type { ColumnSchema, SqlType } from '../../src/data/sql-type.ts'

/** Columns, rows and expressions that are evaluated here and by PostgreSQL. */

const columnTypes: Readonly<Record<string, SqlType>> = {
  s: { kind: 'smallint' },
  i: { kind: 'integer' },
  b: { kind: 'bigint' },
  c: { kind: 'bigint' },
  r: { kind: 'real' },
  d: { kind: 'double' },
  n: { kind: 'numeric' },
  m: { kind: 'numeric', precision: 12, scale: 2 },
  w: { kind: 'numeric', precision: 30, scale: 5 },
  f: { kind: 'boolean' },
  t: { kind: 'text' },
  u: { kind: 'text' },
  v: { kind: 'varchar', length: 8 },
  day: { kind: 'date' },
  tm: { kind: 'time' },
  ts: { kind: 'timestamp' },
  tz: { kind: 'timestamptz' },
  iv: { kind: 'interval' },
  id: { kind: 'uuid' },
  j: { kind: 'jsonb' },
  y: { kind: 'bytea' },
}

export const columns: readonly ColumnSchema[] = Object.entries(columnTypes).map(([name, type]) => ({
  name,
  type,
  nullable: true,
}))

const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'

const table = String.raw`
1|2|3|4|1.5|2.5|1.50|12.34|123.45678|true|hello|lo|abc|2020-02-29|10:00:00|2020-02-29 10:11:12.123456|2020-12-31 23:59:59.999999+00|1 day|${uuid}|{"a": 1, "b": [1, "x", null], "c": {"d": "e"}}|\x00ff
-7|-13|-123|10|-1.25|-0.1|-3.333|-0.01|-99999.99999|false|Hello World|World||1999-12-31|23:59:59.999999|1999-12-31 23:59:59|2000-01-01 00:00:00+00|-1 mons +2 days 03:04:05.6|00000000-0000-0000-0000-000000000000|[]|\x
0|0|0|1|0|0|0|0|0|true|||z|1970-01-01|00:00:00|1970-01-01 00:00:00|1970-01-01 00:00:00+00|00:00:00|ffffffff-ffff-ffff-ffff-ffffffffffff|{}|\x01
32767|2147483647|9223372036854775807|9223372036854775807|3.4e38|1.7e308|99999999999999999999.5|9999999999.99|9999999999999999999999999.99999|false|  padded  |pad|12345678|2038-01-19|12:34:56.7|2262-04-11 23:47:16.854775|9999-12-31 23:59:59+00|178956970 years 7 mons|${uuid}|"text"|\xdeadbeef
-32768|-2147483648|-9223372036854775808|-1|-3.4e38|-1.7e308|-0.00000000000000000001|-9999999999.99|-9999999999999999999999999.99999|true|ünïcödé 😀 ñ|😀|é|0044-03-15 BC|00:00:01|0044-03-15 12:00:00 BC|0001-01-01 00:00:00+00|-178000000 years|${uuid}|null|\x5c
NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL
12|100|9007199254740993|2|NaN|NaN|NaN|100.00|1.00000|NULL|a,b,,c|,|a%b_c|2024-02-29|06:30:00|2024-02-29 00:00:00|2024-03-31 12:00:00+00|1 year 2 mons 3 days 04:05:06.789|${uuid}|{"a": {"b": {"c": 3.50}}, "b": true}|\x61
5|-1|123456789|1000000|Infinity|-Infinity|Infinity|0.05|0.00001|true|100%|0|x|2021-01-03|18:00:00|2021-01-01 00:00:00|2021-01-04 06:00:00+00|36:00:00|${uuid}|[1, 2.50, "3", true, null]|\x00
-3|7|-9007199254740993|3|0.1|0.1|12345.678901234567890|33.33|-0.00001|false|12345|3|-12.5|2016-12-31|01:02:03.000004|2016-12-31 01:02:03.4|2016-01-01 00:00:00.000001+00|-5 days +01:00:00|${uuid}|42|\x
2|3|NULL|5|NULL|4|NULL|NULL|2.50000|NULL|NULL|x|NULL|NULL|NULL|2000-02-29 12:00:00|NULL|1 mon|NULL|NULL|NULL
`

export const rows: readonly (readonly (string | null)[])[] = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => (cell === 'NULL' ? null : cell)))

function product(patterns: readonly string[], ...sets: readonly (readonly string[])[]): string[] {
  return sets.reduce<string[]>(
    (made, set, at) => made.flatMap((text) => set.map((each) => text.replaceAll(`$${at + 1}`, each))),
    [...patterns],
  )
}

const arithmetic = ['+', '-', '*', '/']
const comparisons = ['=', '<>', '<', '<=', '>', '>=']

const listed = String.raw`
-- arithmetic
s + s; s * s; s / s; s % i; s - 32767::smallint; i % 7; i / -1; b % 123 = 0; b % c; b / c; b / -1; b * 2; b + 1; b - 1; -b; -i; -s; abs(b); abs(i); @ s
mod(i, 5); mod(b, 10); mod(m, 0.3); mod(n, 7); m % 3; w % m; n % m; div(m, 3); div(n, 0.7); i + 1.5; b * 0.908; m * 1.1; m * m; w * w; w + m; m - w; n * n; n / 3; m / 3; 1 / m; w / 7; 10 / 4; 10.0 / 4; 1 / 3.0
r + 1; d * 2; d / 3; r * r; d * d; d + r; i + d; b * r; 1e308 * d; r / 0; d / 0; d - d; i + r; 1 / d; -d; -r; abs(d); abs(r); abs(m); abs(n); -m; -n; -w; +i
i & 6; i | 6; i # 6; ~i; i << 2; i >> 1; b & 255; b | 1; b # 1; ~b; b << 3; b >> 3; s << 3; ~s; i << 33; gcd(i, 12); lcm(i, 12); gcd(b, c); lcm(b, c)
i + s + b + m; (i + 1) * (i - 1); i * i * i; b + b; b * c; c * c * c; m * m * m * m; 2147483647 + i; 9223372036854775807 + b; i - 2147483648
-- rounding
round(m); round(m, 1); round(m, 0); round(m, 5); round(m, -1); round(m, -3); round(n); round(n, 2); round(n, i % 3); round(d); round(w, 2); round(w, -3); round(-2.5); round(2.5::double precision); round(3.5::double precision)
trunc(m); trunc(m, 1); trunc(m, -2); trunc(n, 3); trunc(d); trunc(w, 1); ceil(m); ceiling(m); floor(m); ceil(n); floor(n); ceil(d); floor(d); floor(w); ceil(w); sign(m); sign(n); sign(d); sign(w); floor(i); round(i); ceil(b::numeric)
-- functions of numbers
sqrt(abs(m)); sqrt(abs(n)); sqrt(m); sqrt(d); sqrt(4); sqrt(0.0001); sqrt(123456789.123); sqrt(2.00000); power(2, 10); power(m, 2); power(2.5, 3); power(n, 2); power(abs(m), 0.5); power(10, -3.0); power(2.0, -2); power(0.0, 0); power(0.0, -1); power(-8.0, 3); power(-8.0, 0.5); 2 ^ 0.5; 2.0 ^ 0.5; i ^ 2; d ^ 0
exp(1.0); exp(0.0); exp(-5.5); exp(10.123); exp(m / 1e9); exp(1); ln(2.0); ln(10); ln(abs(m) + 1); ln(m); ln(0.95); ln(1.05); ln(1.0); ln(123456.789); log(100.0); log(2.0, 64.0); log(2.5, 1000); log10(1000.0); log(1000); log(0.5, 0.125); ln(0.0000001); exp(100.5)
cbrt(27.0); degrees(pi()); radians(180); power(d, 2); sqrt(r)
greatest(i, 5); least(i, 5, NULL); greatest(i, b, m); least(m, w, 0); greatest(t, u, 'm'); least(ts, tz); greatest(NULL, NULL, i); greatest(d, 'NaN'); least(n, 1); greatest(iv, interval '1 day'); greatest(1.0, 1.00, m); least(y, '\x02'); greatest(day, date '2000-01-01'); greatest(1/i, 5)
-- comparison and logic
i = 2 AND t = 'hello'; i > 0 OR f; NOT f; f AND NULL; f OR NULL; NOT (i > 0); f = true; f > false; i IS NULL; i IS NOT NULL; f IS TRUE; f IS NOT TRUE; f IS FALSE; f IS NOT FALSE; f IS UNKNOWN; f IS NOT UNKNOWN; (1/i > 0) IS NULL; f AND 1/i = 1; f AND 1/i = 1
i BETWEEN 0 AND 10; i NOT BETWEEN 0 AND 10; m BETWEEN 0 AND 50.5; t BETWEEN 'a' AND 'i'; ts BETWEEN '2000-01-01' AND '2022-01-01'; i IN (1, 2, 3, NULL); i NOT IN (2, 7); t IN ('hello', '12345'); m IN (12.34, 0); i IN (2, 2.5, 7); u NOT IN ('x', 'lo')
i IS DISTINCT FROM 2; i IS NOT DISTINCT FROM NULL; t IS DISTINCT FROM u; m IS NOT DISTINCT FROM 12.340; n IS DISTINCT FROM 1.5; d IS NOT DISTINCT FROM 'NaN'; f IS DISTINCT FROM NULL; j IS DISTINCT FROM '{}'; iv IS NOT DISTINCT FROM interval '24 hours'
t < u; t >= u; t = v; v = 'abc'; v < t; t < 'hello '; day < ts; day = tz; ts < tz; tz > '2000-01-01'; tm > '12:00'; iv > interval '1 day'; iv = '24:00:00'; id = '${uuid}'; id < 'b0000000-0000-0000-0000-000000000000'; j = '{}'; j <> '[]'; y < '\x5c'; y = '\x61'; '1.50' = n; m = n; w > m; b = i; s < b; r = 0.1; d = 0.1; d < r; r < 1.5; d > i; m > d; n = 1.5; w = m
-- choice
CASE WHEN i > 0 THEN 'pos' WHEN i < 0 THEN 'neg' ELSE 'zero' END; CASE WHEN f THEN i END; CASE i WHEN 2 THEN 'two' WHEN 7 THEN 'seven' END; CASE WHEN i = 0 THEN 0 ELSE 100 / i END; CASE WHEN f THEN 1 ELSE 2.50 END; CASE WHEN f THEN m ELSE w END; CASE WHEN f THEN t ELSE u || '!' END; CASE WHEN f THEN NULL ELSE j END; CASE WHEN f THEN 1.5 ELSE d END; CASE WHEN f THEN b ELSE i END; CASE WHEN f THEN day ELSE ts END; CASE WHEN 1/i > 0 THEN 1 ELSE 2 END; CASE WHEN f THEN 1.5 ELSE 22.5 END; CASE WHEN f THEN iv ELSE NULL END; CASE WHEN f THEN v ELSE 'other' END; CASE WHEN i > 3 THEN n WHEN f THEN 1 END
COALESCE(i, 0); COALESCE(t, u, 'none'); COALESCE(m, 0); COALESCE(m, w, 1); COALESCE(n, 1.50); COALESCE(NULL, i); COALESCE(1/i, 0); COALESCE(t, 'x') || 'y'; COALESCE(d, i); COALESCE(f, true); COALESCE(iv, interval '1 hour'); COALESCE(day, '2000-01-01'); COALESCE(ts, tz); COALESCE(y, '\x'); COALESCE(j, 'null'); NULLIF(i, 2); NULLIF(t, ''); NULLIF(m, 0); NULLIF(i, 2.0); NULLIF(d, 'NaN'); NULLIF(b, i)
-- casts
i::text; b::text; m::text; n::text; w::text; f::text; d::text; r::text; ts::text; tz::text; day::text; tm::text; iv::text; id::text; j::text; y::text; i::bigint; b::integer; b::smallint; i::smallint; m::integer; m::bigint; m::smallint; n::integer; n::bigint; w::bigint; w::integer; d::integer; d::bigint; d::smallint; r::integer; r::bigint; d::real; r::double precision; i::double precision; b::double precision; b::real; i::real; m::double precision; n::double precision; w::double precision; m::real; n::real; w::real; i::numeric; b::numeric; d::numeric; r::numeric; i::numeric(5,2); b::numeric(20,3); m::numeric(10,1); m::numeric(5,2); m::numeric(20,5); n::numeric(10,3); w::numeric(12,2); w::numeric(40,8); d::numeric(10,2); r::numeric(10,2); n::numeric; m::numeric; m::numeric(3,0)
t::integer; t::numeric; t::double precision; t::boolean; u::integer; u::numeric(5,1); v::numeric; v::integer; t::varchar(3); t::varchar; v::text; 'abc'::varchar(2); t::date; t::timestamp; t::bytea; i::boolean; f::integer; 0::boolean; '12'::integer + i; ' 12 '::integer; '1e3'::numeric; 't'::boolean; 'off'::boolean; i::text::integer; ts::text::timestamp; tz::text::timestamptz; day::text::date; tm::text::time; iv::texm::text::numeric; d::text::double precision; r::text::real; id::text::uuid; y::text::bytea; j::text::jsonb
ts::date; tz::date; ts::time; tz::time; day::timestamp; day::timestamptz; ts::timestamptz; tz::timestamp; tm::interval; iv::time; (j->'a')::integer; j::integer; j::boolean; j::numeric; (j->'b')::boolean; (j->1)::numeric; j::double precision; j::bigint; (j->>'a')::integer
1.5::integer; 2.5::integer; -2.5::integer; 2.5::double precision::integer; 1e10::integer; '1.7'::double precision::bigint; 9223372036854775807::double precision::bigint; 16777217::bigint::real; 9007199791611905::bigint::real; 1e-46::double precision::real; 1e39::double precision::real
-- text
t || u; t || i; i || t; t || f; t || NULL; u || m || d; 'a' || 'b'; t || ts; t || iv; length(t); char_length(t); octet_length(t); bit_length(t); length(v); lower(t); upper(t); initcap(t); reverse(t); ascii(t); ascii(u); md5(t); length(y); octet_length(y)
substring(t, 2); substring(t, 2, 3); substring(t from 0 for 3); substring(t from -1 for 3); substr(t, i); substr(t, 2, i); substring(t from 3); left(t, 2); left(t, -2); left(t, i); right(t, 2); right(t, -2); right(t, i); substring(y, 1, 1); substring(y, 2)
trim(t); btrim(t); ltrim(t); rtrim(t); trim(both 'h' from t); trim(leading ' ' from t); ltrim(t, 'eh'); rtrim(t, 'o '); btrim(t, u); trim(u)
position('l' in t); position(u in t); strpos(t, u); strpos(t, ''); starts_with(t, 'h'); starts_with(t, u); t ^@ 'he'; replace(t, 'l', 'LL'); replace(t, u, '-'); replace(t, '', 'x'); translate(t, 'lo', '01'); translate(t, 'helo', 'x'); overlay(t placing 'XX' from 2); overlay(t placing 'XX' from 2 for 4); overlay(t placing u from 3 for 0)
lpad(t, 8); lpad(t, 8, 'xy'); rpad(t, 8, u); rpad(t, 3); lpad(t, 3, ''); repeat(u, 3); repeat(u, i); split_part(t, ',', 2); split_part(t, ',', -1); split_part(t, u, 1); split_part(t, ' ', 2); split_part(t, ',', 0); chr(65); chr(i); chr(233); to_hex(i); to_hex(b); to_hex(255)
concat(t, i, NULL, f); concat(u); concat_ws(',', t, i, NULL, u); concat_ws(u, t, v); concat_ws(NULL, t); encode(y, 'hex'); encode(y, 'base64'); encode(y, 'escape'); decode('6162', 'hex'); decode('YWI=', 'base64'); y || '\x00'
-- patterns
t LIKE 'h%'; t LIKE '%o'; t LIKE '%l%'; t LIKE 'hello'; t LIKE 'h_llo'; t LIKE '%'; t LIKE ''; t LIKE '%,%,%'; t LIKE 'h%l%o'; t LIKE '%l%l%'; t LIKE '_%'; t LIKE u; t LIKE '%' || u || '%'; t NOT LIKE '%o%'; t LIKE '100\%'; t LIKE '100#%' ESCAPE '#'; t LIKE '%😀%'; t LIKE 'ü%_%'; t ILIKE 'HELLO%'; t ILIKE '%WORLD'; t NOT ILIKE 'h%'; t ILIKE 'ÜNÏ%'; v LIKE 'a%'; v LIKE 'a\%b\_c'; v LIKE '%\_%'; t LIKE NULL; t LIKE 'a%b%c'; t LIKE '%b%%c'
t ~ 'l+'; t ~ '^h'; t ~ 'o$'; t ~* 'HELLO'; t !~ '[0-9]'; t !~* 'H'; t ~ '^\d+$'; t ~ '^\w+\s\w+$'; t ~ '[[:alpha:]]+'; t ~ '(a|b),'; t ~ '\mW'; t ~ 'd\M'; t ~ '\yhello\y'; t ~ '^[^,]*,'; t ~ 'l{2}'; t ~ 'l{3,}'; t ~ u; v ~ '^-?\d+\.\d+$'; t ~ '.'; t ~ ''; t ~ '(?i)HELLO'; t ~ '[]a]'; t ~ '[a-c]'; t ~ 'h.*o'; regexp_like(t, 'H', 'i'); regexp_like(t, 'H', u); regexp_like(t, 'l', CASE WHEN i < 2 THEN 'g' ELSE 'ic' END)
regexp_replace(t, 'l+', 'L'); regexp_replace(t, 'l', 'L', 'g'); regexp_replace(t, '[aeiou]', '<\&>', 'g'); regexp_replace(t, '(\w+) (\w+)', '\2 \1'); regexp_replace(t, '\s+', ' ', 'g'); regexp_replace(t, 'H', 'x', 'gi'); regexp_replace(t, '^\s*', ''); regexp_replace(t, '[^0-9]', '', 'g'); regexp_count(t, 'l'); regexp_substr(t, 'l+o'); substring(t from 'e(l+)'); substring(t from '[0-9]+'); regexp_replace(t, '.*,', '')
-- dates and times
date_trunc('second', ts); date_trunc('minute', ts); date_trunc('hour', ts); date_trunc('day', ts); date_trunc('week', ts); date_trunc('month', ts); date_trunc('quarter', ts); date_trunc('year', ts); date_trunc('decade', ts); date_trunc('century', ts); date_trunc('millennium', ts); date_trunc('milliseconds', ts); date_trunc('microseconds', ts); date_trunc('hour', tz); date_trunc('month', day); date_trunc('day', tz, 'UTC'); date_trunc('week', day); date_trunc('hour', iv); date_trunc('month', iv); date_trunc('year', iv); date_trunc('quarter', iv); date_trunc('day', iv); date_trunc('second', iv); date_trunc(NULL, ts)
date_bin('15 minutes', ts, '2000-01-01'); date_bin('1 day', ts, '2000-01-03 06:00'); date_bin('7 days', tz, '1970-01-01'); date_bin(interval '1 hour', ts, ts); date_bin(iv, ts, '2000-01-01'); date_bin('1 hour', ts, NULL)
ts + interval '1 hour'; ts - interval '1 day'; ts + interval '1 month'; ts - interval '1 year 2 months 3 days'; ts + iv; ts - iv; tz + iv; iv + ts; tz - interval '5 minutes'; day + 1; day - 1; 1 + day; day + i; day - day; day - date '2000-01-01'; day + interval '1 day'; day - interval '1 month'; day + tm; tm + day; tm + interval '13 hours'; tm - interval '13 hours'; tm - time '01:00'; tm + iv; interval '25 hours' + tm; ts - ts; ts - timestamp '2000-01-01'; tz - tz; tz - ts; day - ts; age(ts, timestamp '2000-03-31'); age(timestamp '2000-02-29 13:00', ts); age(tz, '2001-01-31'); ts - day
timezone('UTC', ts); timezone('UTC', tz); ts AT TIME ZONE 'UTC'; tz AT TIME ZONE 'UTC'; isfinite(ts); isfinite(iv); isfinite(day)
to_timestamp(0); to_timestamp(1600000000.5); to_timestamp(i); make_date(2020, 2, 29); make_date(2019, 2, 29); make_date(i, 1, 1); make_time(10, 30, 5.5); make_time(24, 0, 0); make_time(25, 0, 0); make_timestamp(2020, 1, 2, 3, 4, 5.678901); make_timestamp(2020, 13, 1, 0, 0, 0)
iv + interval '1 hour'; iv - interval '1 month'; -iv; iv * 2; iv * 1.5; iv / 2; iv / 3; 0.5 * iv; iv / 0; iv * 0.1; iv * 1e10; justify_hours(iv); justify_days(iv); justify_interval(iv); iv + iv; interval '1 month' * 0.33; interval '1 year 1 day' / 7
to_char(ts, 'YYYY-MM-DD HH24:MI:SS.US'); to_char(ts, 'HH12:MI:SS.MS AM'); to_char(ts, 'Day, DD Month YYYY'); to_char(ts, 'FMDay, FMDD FMMonth YYYY'); to_char(ts, 'Dy DY dy D ID DDD IDDD Q WW IW IYYY CC J W'); to_char(ts, 'MONTH|month|Mon|MON|mon|RM|rm'); to_char(tz, '"Quarter "Q YYYY'); to_char(ts, 'FMDDth FMHH12 HH24th'); to_char(ts, 'YYYYMMDD'); to_char(ts, 'Y,YYY YYY YY Y IYY IY I'); to_char(ts, 'YYYY BC AD B.C.'); to_char(ts, 'SSSS SSSSS'); to_char(tz, 'HH HH12 pm a.m. P.M.'); to_char(day, 'YYYY-MM'); to_char(ts, 'FF1 FF3 FF6'); to_char(ts, 'Hello World'); to_char(ts, 'T"T"Z\"x'); to_char(ts, 'YYYY"W"IW'); to_char(ts, 'FMMM/FMDD/YY FMHH24'); to_char(ts, 'FMYYYY FMDDD FMMS FMUS FMJ FMWW FMCC FMQ FMSSSS FMDay,'); to_char(ts, ''); to_char(ts, 'é\é"é\"é"'); to_char(ts, 'ddTH DDTH Ddth'); to_char(ts, 'yyyy-mm-dd hh24:mi:ss.ms.us'); to_char(ts, 'FM'); to_char(ts, NULL); to_char(ts, 'Cc cc q iw"')
-- jsonb
j->'a'; j->>'a'; j->0; j->>1; j->-1; j->'b'->0; j->'c'->>'d'; j#>'{a,b,c}'; j#>>'{a,b}'; j#>>'{b,1}'; j#>>'{}'; j#>'{b,-1}'; j ? 'a'; j ? 'x'; jsonb_typeof(j); jsonb_typeof(j->'a'); jsonb_array_length(j); j->>'zz'; (j->>'a') = '1'; j->'a' = '1.0'; j = '[1,2.5,"3",true,null]'; j->t; j#>'{0}'; j#>'{a,0}'; j#>>'{b,-1}'; j#>'{b,x}'; (j->'b')->>1; j->'c'->'d'->0; (j#>>'{}')::text; jsonb_typeof(j->1); j || '{"a": 5, "zz": null}'; j || '[1.50]'; '7' || j; j || j; j - 'a'; j - t; j - 0; j - -1; j - i; j @> '{"a": 1.0}'; j @> '[]'; j @> '"3"'; j @> '[2.5, 1]'; j @> '[1, 1, [2]]'; j @> '42'; j @> j; '{"a": {"b": {"c": 3.5, "d": 1}}, "b": true}' @> j; j <@ '[1, 2.5, "3", true, null, 9]'; j <@ '{}'; j @> '{"b": ["x"]}'; j @> '{"b": "x"}'; '[[1, 2], {"a": 1}]'::jsonb @> '[[2]]'; '1'::jsonb @> '[1]'; jsonb_contains(j, '{}'); jsonb_contained(j, j); jsonb_strip_nulls(j); jsonb_strip_nulls('{"a": null, "b": [null, {"c": null, "d": 1.0}]}'); j || '{"a": null}' = j; jsonb_typeof(((repeat('{"a":', 1000) || '1' || repeat('}', 1000))::jsonb || '1') -> 0)
`

const fields = ['microseconds', 'milliseconds', 'second', 'minute', 'hour']
const dateFields = ['day', 'month', 'quarter', 'year', 'decade', 'century', 'millennium', 'epoch', 'week']
const calendarFields = ['dow', 'doy', 'isodow', 'isoyear', 'julian']

export const expressions: readonly string[] = [
  ...listed
    .split('\n')
    .filter((line) => !line.startsWith('--'))
    .flatMap((line) => line.split(';'))
    .map((text) => text.trim())
    .filter((text) => text !== ''),
  ...product(['$1 $2 $3'], ['s', 'i', 'b', 'm', 'n', 'w', 'd', 'r'], arithmetic, ['i', 'c', 'm', 'n', 'd', 'r']),
  ...product(['$1 $2 $3'], ['i', 'b', 'm', 'n', 'w', 'd', 'r'], comparisons, ['c', 'm', 'n', 'd', 'r']),
  ...product(['t $1 u'], comparisons),
  ...product(['$1 $2 $1'], ['iv', 'ts', 'tm', 'id', 'y', 'f', 'day'], comparisons),
  ...product(['extract($1 from $2)'], [...fields, ...dateFields], ['ts', 'tz', 'iv']),
  ...product(["date_part('$1', $2)"], [...fields, ...dateFields], ['ts', 'iv']),
  ...product(['extract($1 from $2)'], [...dateFields, ...calendarFields], ['day']),
  ...product(['extract($1 from ts)', "date_part('$1', tz)"], calendarFields),
  ...product(['extract($1 from tm)', "date_part('$1', tm)"], [...fields, 'epoch']),
]
