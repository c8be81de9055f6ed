-- wrk script: sends the requests of a file in rotation and prints the result as one line of JSON.
-- File format: per request a line "PATH LENGTH", then LENGTH bytes of body.
-- Arguments: the file, then headers as "Name: value".
local requests, position = {}, 0

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   local headers = {}
   for index = 2, #arguments do
      local name, value = arguments[index]:match("^([^:]+): (.*)$")
      headers[name] = value
   end
   local line = file:read("*l")
   while line do
      local path, length = line:match("^(%S+) (%d+)$")
      requests[#requests + 1] = wrk.format("POST", path, headers, file:read(tonumber(length)))
      line = file:read("*l")
   end
   file:close()
end

function request()
   position = position % #requests + 1
   return requests[position]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\nresult {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "error_responses": %d, "unanswered": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
