SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid b
JOIN (
  SELECT max(price) AS most, time_bucket(interval '10 seconds', date_time) + interval '10 seconds' AS window_end
  FROM bid
  GROUP BY window_end
) highest ON b.price = highest.most
WHERE b.date_time BETWEEN highest.window_end - interval '10 seconds' AND highest.window_end
