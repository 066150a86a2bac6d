-- Lists that come in pages, and users that are found or created.
local core = require "raia.core"
local options = require "raia.options"

local conversations, users, user, agent = {}, {}, {}, {}
local error, ipairs, setmetatable = error, ipairs, setmetatable

-- ---- pages ----

-- Goes through all elements of all pages. The next page is asked for while the elements of one are
-- used; leaving the loop cancels that.
local function each(group, query, opts)
  local background = options.with(opts, { wait = false })
  local request, page, i = group:list(query, background), nil, 0
  local closer = setmetatable({}, { __close = function()
    if request then request:cancel() end
  end })
  return function()
    i = i + 1
    while not page or i > #page.data do
      if not request then return nil end
      local message, err
      page, message, err = request:wait()
      request, i = nil, 1
      if not page then error(err or message, 0) end
      request = page:next(background)
    end
    return page.data[i]
  end, nil, nil, closer
end

function conversations:each(query, opts)
  options.argument(1, "each", query, "table or nil")
  options.argument(2, "each", opts, "table or nil")
  return each(self, query, opts)
end

-- ---- users ----

local CONTACTS = { "fkId", "email", "phoneNumber" }

-- The user who has one of the contacts in `fields`, and the ids of the user's conversations;
-- false if nobody has.
local function find(self, fields, opts)
  for _, name in ipairs(CONTACTS) do
    if fields[name] ~= nil then
      local found, ids, err = self:search({ [name] = fields[name] }, opts)
      if found or err.status ~= 404 then return found, ids, err end
    end
  end
  return false
end

function users:find_or_create(fields, opts)
  options.argument(1, "find_or_create", fields, "table")
  local found, ids, err = find(self, fields, opts)
  if found ~= false then return found, ids, err end
  local created, message
  created, message, err = self:create(fields, opts)
  if created then return created, {} end
  if err.status == 400 then -- somebody may have created the user meanwhile
    found, ids = find(self, fields, opts)
    if found then return found, ids end
  end
  return nil, message, err
end

function user:conversations(query, opts)
  options.argument(1, "conversations", query, "table or nil")
  local group = core.client_of(self).conversations
  return group:list(options.with(query, { userId = self.id }), opts)
end

-- ---- limits ----

-- Sets limits, whether there are any or not.
local function set_limits(self, fields, opts)
  options.argument(1, "set_limits", fields, "table")
  local limits, message, err = self:update_limits(fields, opts)
  if limits or err.status ~= 404 then return limits, message, err end
  return self:create_limits(fields, opts)
end

user.set_limits, agent.set_limits = set_limits, set_limits

options.define("raia.conversations", conversations)
options.define("raia.users", users)
options.define("raia.user", user)
options.define("raia.agent", agent)
