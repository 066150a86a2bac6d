-- Starts an SMS conversation with each customer of a CSV file, at most five a second, each once,
-- and goes on where it was when it is started again, however it had ended:
-- lua5.4 support_bot.lua CUSTOMERS.csv JOURNAL
-- The file's first line: firstName,lastName,phoneNumber,text
local raia = require "raia"

local customers, journal = arg[1], arg[2]
if not journal then
  io.stderr:write("usage: lua5.4 support_bot.lua CUSTOMERS.csv JOURNAL\n")
  os.exit(2)
end

-- The fields of a line; those in quotes may have commas, and "" for a quote.
local function fields_of(line)
  local fields, rest = {}, line:gsub("\r$", "") .. ","
  while rest ~= "" do
    local field, after = rest:match '^"(.-)",(.*)$'
    while field and select(2, field:gsub('"', "")) % 2 == 1 do -- ends at an escaped quote
      local more, left = after:match '^(.-)",(.*)$'
      field, after = field .. '",' .. more, left
    end
    if not field then field, after = rest:match "^([^,]*),(.*)$" end
    fields[#fields + 1], rest = field:gsub('""', '"'), after
  end
  return fields
end

-- What the journal says last of each number: "begun" is noted before the call, then "sent", or
-- "unsent" when the server cannot have acted on it.
local state = {}
local before = io.open(journal)
for line in before and before:lines() or function() end do
  local number, word = line:match "^(%+%d+) (%a+)"
  if number then state[number] = word end
end
local file = assert(io.open(journal, "a"))
local function note(...)
  assert(file:write(table.concat({ ... }, " "), "\n"))
  assert(file:flush())
end
file:write("\n") -- ends a note that was cut short

local list, names, unsure = {}, nil, 0
for line in assert(io.lines(customers)) do
  local customer = {}
  for i, field in ipairs(fields_of(line)) do customer[names and names[i] or i] = field end
  names = names or customer
  local number = customer.phoneNumber
  if state[number] == "begun" then
    unsure = unsure + 1
    io.stderr:write(number, " may have got its message: look, then add '", number, " sent' or '",
      number, " unsent' to ", journal, ".\n")
  elseif number and state[number] ~= "sent" then
    list[#list + 1] = customer
  end
end

local client = raia.client()
local _, failures = raia.map(list, function(customer)
  note(customer.phoneNumber, "begun")
  local conversation, message, err = client.conversations:start {
    channel = "sms", firstName = customer.firstName, lastName = customer.lastName,
    phoneNumber = customer.phoneNumber, smsIntroduction = customer.text, source = "support_bot" }
  if not conversation then
    if err.sent == "no" then note(customer.phoneNumber, "unsent") end
    return nil, message, err
  end
  note(customer.phoneNumber, "sent", conversation.id)
  return conversation
end, { concurrency = 8, rate = 5, on_progress = raia.progress "started", on_error = "collect" })

for i, failure in pairs(failures) do
  io.stderr:write(list[i].phoneNumber, ": ", failure.message, "\n")
end
if unsure > 0 or next(failures) then os.exit(1) end
