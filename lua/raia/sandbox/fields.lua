-- What bodies and queries may hold, as tables of fields, and their check.

local PHONE = "^%+[1-9]%d+$"

local fields = {}

local function text(name, more)
  local field = { name, "string" }
  for key, value in pairs(more or {}) do field[key] = value end
  return field
end

local function needed(name, more)
  local field = text(name, more)
  field.required = true
  return field
end

local function flag(name) return { name, "boolean" } end

local title, context = text("title", { max = 255 }), text("context", { max = 256000 })
local custom = { "customData", "object" }
local files = { "files", "array" }
local phone = { max = 16, pattern = PHONE, unless = "skipPhoneNumberValidation",
  hint = "an E.164 number such as +15551234567" }

fields.start = {
  needed "firstName", needed "lastName",
  needed("channel", { one_of = { "email", "sms", "voice" } }),
  text "context", text "conversationContext", text "source", text "fkId", text "fkUserId", custom,
  text "email", text("phoneNumber", phone), text "conversationStateId", text "authorId",
  flag "skipPhoneNumberValidation", flag "skipEmailValidation",
  by_channel = {
    email = { needed "email", needed "emailSubject", needed "emailIntroduction",
      flag "includeSignatureInEmail", flag "resetConversation" },
    sms = { needed "phoneNumber", needed "smsIntroduction", flag "includeSignatureInSms",
      flag "resetConversation" },
    voice = { needed "phoneNumber", needed "firstMessage" },
  },
}
fields.create = { needed "conversationUserId", title, context, custom,
  text "conversationStateId" }
fields.delete = { needed "conversationUserId" }
fields.update = { title, context, text "conversationStateId",
  text("status", { one_of = { "active", "inactive", "archived" } }) }
fields.mode = { needed("mode", { one_of = { "manual", "ai" } }) }
fields.send = { { "message", "string", required = true, may_be_empty = true }, text "context",
  files }
fields.manual = { needed "message", text "conversationMessageId", text "authorId", files }
fields.upload = { needed "fileName", needed "contentType" }
fields.user = { { "firstName", "string", required = true, may_be_empty = true },
  { "lastName", "string", required = true, may_be_empty = true }, text "context", text "source",
  text "fkId", text "fkUserId", custom, text "email", text("phoneNumber", phone),
  flag "skipPhoneNumberValidation", flag "skipEmailValidation" }

fields.limits = {}
for i, name in ipairs { "tokens", "sms", "emails", "seconds" } do
  fields.limits[i] = { name .. "AmountPerMonth", "number", required = true }
end
fields.some_limits = {}
for i, field in ipairs(fields.limits) do fields.some_limits[i] = { field[1], "number" } end

fields.prompt = { needed "prompt", text "tokenTrackingId", files }
fields.webhook = { needed "title", needed "description", needed "url",
  needed("triggerCondition", { one_of = { "each_message", "end_dialog", "start_dialog",
    "chat_currently_unavailable", "auto_archive_conversation", "manual" } }),
  { "headers", "object" } }
fields.file_ids = { { "fileIds", "array", required = true } }
fields.usage = { needed("type", { one_of = { "OPENAI_TOKENS", "VAPI_SECONDS" } }),
  { "amount", "number", required = true } }
fields.feedback = { needed "conversationMessageId", needed "userId",
  needed("voteType", { one_of = { "up", "down" } }), needed "question", text "answer",
  text "comment" }
fields.receive = { needed "conversationId", needed "message", text "source" }

local function type_of(value)
  local kind = type(value)
  return kind ~= "table" and kind or type(next(value)) == "number" and "array" or "object"
end

local function is_type(value, wanted)
  local kind = type_of(value)
  return kind == wanted or wanted == "array" and kind == "object" and next(value) == nil
end

local function complaint(field, value, body)
  if value == nil then return field.required and "is required" or nil end
  if not is_type(value, field[2]) then
    return (field[2]:find "^[ao]" and "must be an " or "must be a ") .. field[2]
  elseif value == "" and field.required and not field.may_be_empty then
    return "must not be empty"
  elseif field.unless and body[field.unless] then
    return nil
  elseif field.pattern and not value:find(field.pattern) then
    return "must be " .. field.hint
  elseif field.max and utf8.len(value) > field.max then
    return ("must be %s of at most %d characters"):format(field.hint or "a text", field.max)
  end
  for _, allowed in ipairs(field.one_of or { value }) do
    if value == allowed then return nil end
  end
  return "must be one of " .. table.concat(field.one_of, ", ")
end

-- What is wrong with a body: an array of { field =, message = }, empty when nothing is.
function fields.check(list_of_fields, body)
  local details, seen = {}, {}
  local more = list_of_fields.by_channel and list_of_fields.by_channel[body.channel]
  for _, list in ipairs { list_of_fields, more } do
    for _, field in ipairs(list) do
      local name = field[1]
      local message = not seen[name] and complaint(field, body[name], body)
      if message then
        seen[name] = true
        details[#details + 1] = { field = name, message = name .. " " .. message }
      end
    end
  end
  return details
end

return fields
