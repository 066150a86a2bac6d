-- Each operation as a function of a client and the options of the call.
return {
  start = function(client, opts)
    return client.conversations:start({ channel = "sms", firstName = "Ada", lastName = "Byron",
      phoneNumber = "+15551234567", smsIntroduction = "Hi" }, opts)
  end,
  create = function(client, opts)
    return client.conversations:create({ conversationUserId = "u" }, opts)
  end,
  get = function(client, opts) return client.conversations:get("c-1", opts) end,
  delete_all = function(client, opts) return client.conversations:delete_all("u", opts) end,
  send = function(client, opts) return client:conversation("c-1"):send("Hello", opts) end,
  messages = function(client, opts) return client:conversation("c-1"):messages(opts) end,
  refresh = function(client, opts) return client:conversation("c-1"):refresh(opts) end,
  request = function(client, opts)
    return client:request("PUT", "/x", { body = { a = 1 }, query = { b = 2 } }, opts)
  end,
}
