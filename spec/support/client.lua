-- Clients for specs: of a server or a URL, with a key, and no second attempt unless asked for.

-- Returns a function that connects to a server of the specs (its `base_url`) or to a URL.
-- `defaults` are options of all its clients; those that it is given itself win over them.
return function(defaults)
  return function(to, options)
    local all = { secret_key = "a-marked-key", max_retries = 0 }
    all.base_url = type(to) == "table" and to.base_url or to
    for _, more in ipairs { defaults or {}, options } do
      for name, value in pairs(more) do all[name] = value end
    end
    return require "raia".client(all)
  end
end
