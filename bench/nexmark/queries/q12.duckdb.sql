SELECT bidder, count(*) AS bids, window_start, window_start + interval '10 seconds' AS window_end
FROM (SELECT bidder, time_bucket(interval '10 seconds', date_time) AS window_start FROM bid) windows
GROUP BY bidder, window_start
