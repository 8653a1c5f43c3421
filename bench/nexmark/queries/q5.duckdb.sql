WITH counts AS (
  SELECT auction, window_start, count(*) AS num
  FROM (
    SELECT auction, time_bucket(interval '2 seconds', date_time) - slide AS window_start
    FROM bid
    CROSS JOIN (
      SELECT unnest([interval '0 seconds', interval '2 seconds', interval '4 seconds', interval '6 seconds', interval '8 seconds']) AS slide
    ) slides
  ) windows
  GROUP BY auction, window_start
)
SELECT counts.auction, counts.num, counts.window_start
FROM counts
JOIN (SELECT max(num) AS most, window_start FROM counts GROUP BY window_start) highest
  ON counts.window_start = highest.window_start
WHERE counts.num >= highest.most
