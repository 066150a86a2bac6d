-- How long a call waits before its next attempt: Retry-After and backoff.
local monotime = require("cqueues").monotime
local server = require "spec.support.server"
local clients = require "spec.support.client"
local attempts = require "spec.support.attempts"

local start, ended, failure, deliveries, failing =
  attempts.start, attempts.ended, attempts.failure, attempts.deliveries, attempts.failing
local connect = clients { timeout = 10 }

describe("Retry-After", function()
  local fault_server

  local function http_date(seconds)
    return os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + seconds)
  end

  -- With two retries of its own a call waits from 1.125 to 1.5 seconds in all, with three at
  -- least 2.6. `least` and `most` are what there is to be between the first and the last.
  local cases = {
    { "of 1 on a GET is obeyed", "GET", 429, "1", retries = 1, least = 1, most = 3 },
    { "of 1 on a POST is obeyed, too", "POST", 429, "1", retries = 1, least = 1, most = 3 },
    { "of 1 on a PATCH is obeyed, too", "PATCH", 429, "1", retries = 1, least = 1, most = 3 },
    { "of 1 with a 503 on a GET is obeyed", "GET", 503, "1", retries = 1, least = 1, most = 3 },
    { "of 0 means the own backoff", "GET", 429, "0", retries = 2, least = 1, most = 3 },
    { "of 0 with a 503 means the own backoff", "PUT", 503, "0", retries = 2, least = 1, most = 3 },
    { "of 00 on a POST means the own backoff", "POST", 429, "00", retries = 2, least = 1,
      most = 3 },
    { "that is a date is obeyed", "POST", 429, http_date, retries = 1, least = 1, most = 5 },
    { "that is a date gone by means the own backoff", "POST", 429,
      "Wed, 21 Oct 2015 07:28:00 GMT", retries = 2, least = 1, most = 3 },
    { "of -5 means the own backoff", "GET", 429, "-5", retries = 2, least = 1, most = 3 },
    { "of abc means the own backoff", "GET", 429, "abc", retries = 2, least = 1, most = 3 },
    { "of 1e99 means the own backoff", "GET", 429, "1e99", retries = 2, least = 1, most = 3 },
    { "of 1e99 on a POST means the own backoff", "POST", 429, "1e99", retries = 2, least = 1,
      most = 3 },
    { "of 0x10 means the own backoff", "GET", 429, "0x10", retries = 2, least = 1, most = 3 },
    { "of +9 means the own backoff", "GET", 429, "+9", retries = 2, least = 1, most = 3 },
    { "of 9, 9 means the own backoff", "GET", 429, "9, 9", retries = 2, least = 1, most = 3 },
    { "of 9.5 means the own backoff", "GET", 429, "9.5", retries = 2, least = 1, most = 3 },
    { "of nan means the own backoff", "GET", 429, "nan", retries = 2, least = 1, most = 3 },
    { "that is empty means the own backoff", "GET", 429, nil, retries = 2, least = 1,
      most = 3 },
  }

  local too_long = {
    { "of 61 ends the call", "GET", 429, "61", 61, 61 },
    { "of 86400 ends the call", "GET", 429, "86400", 86400, 86400 },
    { "of 86400 on a POST ends the call", "POST", 429, "86400", 86400, 86400 },
    { "of 86400 with a 503 on a GET ends the call", "GET", 503, "86400", 86400, 86400 },
    { "of thirty digits ends the call", "GET", 429, ("9"):rep(30), 86400, math.huge },
    { "of more digits than a header is kept of does not end in a short wait", "GET", 429,
      "1" .. ("0"):rep(300), 86400, math.huge },
    { "that is a date of tomorrow ends the call", "POST", 429, http_date, 86000, 86400 },
  }

  lazy_setup(function()
    fault_server = server.start(failing)
    for i, case in ipairs(cases) do
      local value = case[4] == http_date and http_date(3) or case[4]
      local client = connect(fault_server.base_url, { max_retries = case.retries })
      case.call = start(client, case[2], "/" .. i, { headers = {
        ["X-Status"] = tostring(case[3]), ["X-Reply"] = value or "",
        ["X-Failures"] = tostring(case.retries),
      } })
    end
    for _, case in ipairs(cases) do case.outcome = ended(case.call) end
  end)

  lazy_teardown(function() fault_server:close() end)

  -- Starts a call to which the answer is this status with this Retry-After.
  local function start_refused(client, method, path, status, value)
    return start(client, method, path,
      { headers = { ["X-Status"] = tostring(status), ["X-Reply"] = value } })
  end

  for i, case in ipairs(cases) do
    it(case[1], function()
      local outcome = case.outcome
      assert.same({ count = case.retries + 1 }, outcome.result, outcome.message)
      local found, seconds = deliveries(fault_server, case[2], "/" .. i)
      assert.equal(case.retries + 1, #found)
      assert.is_true(seconds >= case.least, "after only " .. seconds)
      assert.is_true(seconds < case.most, "only after " .. seconds)
    end)
  end

  for i, case in ipairs(too_long) do
    it(case[1] .. ", which says so", function()
      local client <close> = connect(fault_server.base_url, { max_retries = 2 })
      local value = case[4] == http_date and http_date(86400) or case[4]
      local began = monotime()
      local err = failure(start_refused(client, case[2], "/long/" .. i, case[3], value))
      assert.is_true(monotime() - began < 10)
      assert.equal("http", err.kind)
      assert.equal(case[3], err.status)
      assert.is_true(err.retry_after >= case[5] and err.retry_after <= case[6],
        tostring(err.retry_after))
      assert.equal(1, err.attempts)
      assert.equal(1, #deliveries(fault_server, case[2], "/long/" .. i))
    end)
  end

  it("of 60 is still obeyed", function()
    local client <close> = connect(fault_server.base_url, { max_retries = 1 })
    local call = start_refused(client, "POST", "/60", 429, "60")
    local result, message, err = call:wait(1)
    assert.is_nil(result)
    assert.is_string(message)
    assert.is_nil(err)
    assert.is_false(call:done())
    assert.equal(1, #deliveries(fault_server, "POST", "/60"))
    assert.is_true(call:cancel())
    assert.equal("cancelled", select(3, call:result()).kind)
  end)

  it("does not make a delivered POST be sent again after a 503", function()
    local client <close> = connect(fault_server.base_url, { max_retries = 2 })
    local err = failure(start_refused(client, "POST", "/delivered", 503, "1"))
    assert.equal(503, err.status)
    assert.equal(1, err.retry_after)
    assert.is_false(err.retryable)
    assert.equal(1, #deliveries(fault_server, "POST", "/delivered"))
  end)

  it("of the last answer is in the error", function()
    local client <close> = connect(fault_server.base_url, { max_retries = 1 })
    local err = failure(start_refused(client, "POST", "/last", 429, "1"))
    assert.equal(429, err.status)
    assert.equal(1, err.retry_after)
    assert.equal(2, err.attempts)
    assert.is_true(err.retryable)
  end)

  it("is absent from an error whose answer had none, or 0", function()
    for _, value in ipairs { false, "0", "000" } do
      local client <close> = connect(fault_server.base_url)
      local err = failure(start_refused(client, "POST", "/none", 429, value or nil))
      assert.is_nil(err.retry_after)
    end
  end)

  it("with a 429 holds up the other calls of the client, and no other client's", function()
    local client <close> = connect(fault_server.base_url)
    local other <close> = connect(fault_server.base_url)
    assert.equal(1, failure(start_refused(client, "POST", "/slow", 429, "1")).retry_after)
    local began = monotime()
    local held = start(client, "GET", "/held", { headers = { ["X-Failures"] = "0" } })
    local free = start(other, "GET", "/free", { headers = { ["X-Failures"] = "0" } })
    assert.same({ count = 1 }, ended(free).result)
    assert.is_false(held:done())
    assert.same({ count = 1 }, ended(held).result)
    local seconds = monotime() - began
    assert.is_true(seconds < 10, "it took " .. seconds)
    local refused = deliveries(fault_server, "POST", "/slow")[1]
    assert.is_true(deliveries(fault_server, "GET", "/held")[1].time - refused.time >= 1)
  end)

  it("that ends its call holds up no other", function()
    local client <close> = connect(fault_server.base_url)
    failure(start_refused(client, "POST", "/ends", 429, "86400"))
    assert.same({ count = 1 },
      ended(start(client, "GET", "/after", { headers = { ["X-Failures"] = "0" } })).result)
  end)
end)

describe("the backoff", function()
  it("grows from one attempt to the next", function()
    local fault_server <close> = server.start(failing)
    local client <close> = connect(fault_server.base_url, { max_retries = 3 })
    local err = failure(start(client, "GET", "/x", { headers = { ["X-Status"] = "503" } }))
    assert.equal(4, err.attempts)
    local found, seconds = deliveries(fault_server, "GET", "/x")
    assert.equal(4, #found)
    -- 0.5, 1 and 2 seconds, less a quarter at most
    assert.is_true(found[4].time - found[3].time > found[2].time - found[1].time)
    assert.is_true(found[4].time - found[3].time >= 1)
    assert.is_true(seconds >= 2 and seconds < 15, "it took " .. seconds)
  end)

  it("holds up no other call of the client", function()
    local fault_server <close> = server.start(failing)
    local client <close> = connect(fault_server.base_url, { max_retries = 2 })
    local waiting = start(client, "GET", "/x",
      { headers = { ["X-Status"] = "503", ["X-Reply"] = "30" } })
    waiting:wait(0.5)
    for i = 1, 20 do
      assert.same({ count = i }, client:request("PUT", "/y", nil,
        { headers = { ["X-Failures"] = "0" } }))
    end
    assert.is_false(waiting:done())
  end)
end)
