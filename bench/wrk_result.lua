-- wrk's own figures as one line of JSON, and for posted bodies a check of every answer: a watchdog that
-- streams cannot say in a status that the function failed.
-- Arguments: the body to POST (the answer must be the same); without it, GET.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  wrong = 0
  if args[1] then
    local expected = args[1]
    wrk.method = "POST"
    wrk.body = expected
    wrk.headers["Content-Type"] = "text/plain"
    response = function(status, headers, body)
      if status ~= 200 or body ~= expected then wrong = wrong + 1 end
    end
  end
end

function done(summary, latency, requests)
  local wrong_answers = 0
  for _, thread in ipairs(threads) do wrong_answers = wrong_answers + thread:get("wrong") end
  local errors = summary.errors
  io.write(string.format(
    '\nWRK {"requests": %d, "seconds": %.6f, "connect": %d, "read": %d, "write": %d, "timeout": %d, ' ..
    '"status": %d, "wrong": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration / 1e6, errors.connect, errors.read, errors.write, errors.timeout,
    errors.status, wrong_answers, latency:percentile(50), latency:percentile(99)))
end
