---@meta raia
-- The reference of every public name, as LuaCATS annotations. It is for people and for language
-- servers; nothing loads it. Times are in seconds, sizes in bytes, lengths of texts in characters.
--
-- Failure comes in three kinds. A mistake in the program (a wrong type of argument, an unknown
-- option, a bad URL, no key) raises an error that names the argument. What the outside world does
-- comes back as `nil, message, err`. Running out of memory is Lua's own error.

---@class raia
---@field _VERSION string "raia " and the version
---@field null lightuserdata JSON's null, the same value as `cjson.null`
local raia = {}

---What a client is made of. Every field is optional; for those with an environment variable, the
---option wins, and an empty variable counts as unset.
---@class raia.ClientOptions
---@field secret_key? string the agent's key; else `RAIA_AGENT_SECRET_KEY`; raises without one, and
---where there is a line end, a blank, quotes around it or a character beyond ASCII with it
---@field region? "us"|"eu" else `RAIA_REGION`, else "us"; not together with base_url
---@field base_url? string https, or http to this machine, with a path prefix if wanted; no user,
---query, fragment, "." or ".."; an `/external` at its end is left out, as the paths have it; else
---`RAIA_BASE_URL`, else what the region says
---@field timeout? number seconds for one attempt, from 0.001; default 60, and 300 for `send`; the
---wait between attempts, and that of all calls after a 429, comes on top
---@field connect_timeout? number seconds for name, connection and TLS of an attempt; default 10
---@field max_retries? integer attempts after the first, 0 to 100; default 2
---@field max_connections? integer calls under way at a time, 1 to 65,535; the others queue, the
---oldest first; where the server speaks HTTP/2, a hundred calls count as one; default 64
---@field max_response_bytes? integer bytes of a reply, unpacked; default 32 MiB
---@field headers? table<string, string> sent with every request; not those that raia sets itself:
---`Agent-Secret-Key`, `Host`, `Content-Length`, `Content-Type`, `Expect`, `Connection`,
---`Accept-Encoding`, `Transfer-Encoding`
---@field user_agent? string default "raia-lua/" and the version
---@field proxy? string URL of a proxy, "" for none; default what `HTTPS_PROXY` and `NO_PROXY` say,
---and none for a base_url on this machine; raises when it can't be used, without showing it; marks
---in its user or password are percent-encoded
---@field ca_file? string PEM file of the certificates to trust; default the system's; raises when it
---can't be read or holds none
---@field allow_insecure? boolean lets http go beyond this machine, and everybody on the way read
---the key; default false
---@field on_event? fun(event: raia.Event) called once for each attempt that has ended by itself;
---it can't yield; an error in it ends its request, whose wait raises it

---@class raia.Event
---@field method string
---@field path string
---@field status? integer of HTTP, when there was a reply
---@field elapsed number seconds the attempt took
---@field attempt integer 1 for the first
---@field kind? raia.Kind when it failed
---@field request_id? string the server's name for the request
---@field headers? table<string, string> of the reply, as `request:info()` gives them
---@field retry_in? number seconds until the next attempt, when there will be one

---Makes a client. It holds its connections until it is closed or collected. With the environment
---variable `RAIA_LOG` set to `info` (a line an attempt) or `debug` (libcurl's own account, too) it
---tells on standard error what it does, without the key and without texts.
---
---In the child of a fork it goes on with connections of its own. Calls that were in flight are the
---parent's; in the child they end with kind `closed`.
---@param options? raia.ClientOptions
---@return raia.Client
function raia.client(options) end

---A copy of an object's fields as they came from the server; members that were null are absent. Of a
---table, a list of messages say, a copy in which the objects are tables.
---@param object raia.Conversation|raia.Message|table
---@return table
function raia.totable(object) end

---Marks a table as an array, so that it is sent as `[]` when it is empty. Arrays that came empty have
---that mark, and so do, where lua-cjson is loaded, those with its `array_mt` or `empty_array_mt`;
---other metatables mean nothing. Raises when the table has another metatable.
---@generic T: table
---@param list T
---@return T list the same table
function raia.array(list) end

---`invalid`: the data cannot be what the API takes, nothing was sent; `connection`: none, or it
---broke; `timeout`; `tls`: no connection that can be trusted; `http`: the server answered with
---another status than 2xx; `decode`: its answer is not what the API gives; `too_large`: its answer
---is larger than `max_response_bytes`; `cancelled`; `closed`: the client is; `failed`: the service
---says that the agent could not answer; `file`: a file could not be read or written.
---@alias raia.Kind
---| "invalid" | "connection" | "timeout" | "tls" | "http" | "decode" | "too_large" | "cancelled"
---| "closed" | "failed" | "file"

---The third value of a call that failed. `tostring` gives its message.
---@class raia.Error
---@field kind raia.Kind
---@field message string what happened, to which call, and what to do
---@field status? integer of HTTP, when kind is "http"
---@field code? string the server's name for the error, as INVALID_CREDENTIALS
---@field details? table what the server says besides
---@field request_id? string the server's name for the request
---@field sent "no"|"maybe" whether the server can have acted on the call, in any of its attempts:
---"no" when none of it left, and after a refusal (400, 401, 403, 404, 405, 413, 415, 422, 429)
---@field retryable boolean whether trying again may help and can do no harm
---@field retry_after? number seconds that the server asks to wait, from 1 on; above 60 no retry is
---made
---@field attempts integer how many were made
---@field method string
---@field path string without the query
---@field host? string the host of the base URL, with its port; nil once the client is closed
---@field body? string the first 1,024 bytes of the server's answer; the key, where it is quoted in
---this or any other field, is masked
---@field field? string path of what is invalid, as in `customData.order.id`
---@field question? raia.Message of `ask` and `find_answer`: the question, which the service has; its
---answer can be had by `conversation:answer_to` later

---Options of a single call.
---@class raia.CallOptions
---@field timeout? number seconds for one attempt; default the client's
---@field max_retries? integer attempts after the first; default the client's
---@field headers? table<string, string> added to the client's; the same name replaces
---@field query? table<string, string|number|boolean|(string|number|boolean)[]> added to the URL;
---lists repeat their name
---@field wait? boolean false: return a request at once instead of the results; default true

---Options with `wait = false`, by which a call returns its request.
---@class raia.Background : raia.CallOptions
---@field wait false

---Options of `conversation:send`.
---@class raia.SendOptions : raia.CallOptions
---@field context? string what the agent should know, sent as the field `context`

---@class raia.Client
---@field conversations raia.Conversations
---@field users raia.Users
---@field prompts raia.Prompts
---@field agent raia.Agent the agent of the key
---@field files raia.Files the agent's
---@field usage raia.Usage
---@field feedbacks raia.Feedbacks
local client = {}

---A conversation by its id. Nothing is sent, so nothing but the id is known.
---@param id string not empty, not "." or ".."
---@return raia.Conversation
function client:conversation(id) end

---@class raia.RequestParts
---@field body? table sent as JSON; not with GET
---@field query? table<string, string|number|boolean|(string|number|boolean)[]>

---Any endpoint this library has no name for.
---@param method "GET"|"POST"|"PUT"|"PATCH"|"DELETE"
---@param path string begins with "/", percent-encoded, without a query
---@param parts? raia.RequestParts
---@param options? raia.CallOptions
---@return table|string|number|boolean|lightuserdata|nil reply the decoded value: an
---object or array is a table, null is `raia.null` (a member that is null is absent), false is false (without a message); true without
---a body
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Client, method: "GET"|"POST"|"PUT"|"PATCH"|"DELETE", path: string, parts?: raia.RequestParts, options: raia.Background): raia.Request
function client:request(method, path, parts, options) end

---Ends what is in flight with kind `closed`, closes the handles and wipes its own copies of the
---key. In answers that have come and are read later, the key is masked. Calls after it fail with kind `closed`. The same happens when the client is collected or its
---`<close>` ends.
function client:close() end

---@class raia.Conversations
local conversations = {}

---Fields of POST /external/conversations/start. Other fields are sent as they are.
---@class raia.StartFields
---@field channel "email"|"sms"|"voice"
---@field firstName string
---@field lastName string
---@field email? string required for email
---@field emailSubject? string required for email
---@field emailIntroduction? string required for email
---@field phoneNumber? string E.164 with a leading "+", which is not checked with
---skipPhoneNumberValidation; required for sms and voice
---@field smsIntroduction? string required for sms
---@field firstMessage? string required for voice
---@field context? string about the user
---@field conversationContext? string about this conversation
---@field source? string a label such as "webchat"
---@field fkId? string a key of your own
---@field fkUserId? string a key of your own
---@field customData? table
---@field conversationStateId? string of `conversations:states`
---@field authorId? string
---@field resetConversation? boolean not true for voice
---@field includeSignatureInEmail? boolean
---@field includeSignatureInSms? boolean
---@field skipPhoneNumberValidation? boolean
---@field skipEmailValidation? boolean

---Starts a conversation by email, SMS or voice: POST /external/conversations/start. Never sent
---twice. Of the conversation only the id is known until it is refreshed.
---@param fields raia.StartFields
---@param options? raia.CallOptions
---@return raia.Conversation|nil conversation
---@return string? message
---@return raia.Error? err any kind; `invalid` names the field
---@overload fun(self: raia.Conversations, fields: raia.StartFields, options: raia.Background): raia.Request
function conversations:start(fields, options) end

---Fields of POST /external/conversations. Other fields are sent as they are.
---@class raia.CreateFields
---@field conversationUserId string the id of a user, from `users:find_or_create`, `users:create`, or a
---conversation that `start` made, once it is refreshed; not a name of your own
---@field conversationStateId? string of `conversations:states`
---@field title? string at most 255 characters
---@field context? string at most 256,000 characters
---@field customData? table

---Creates a conversation: POST /external/conversations. Never sent twice.
---@param fields raia.CreateFields
---@param options? raia.CallOptions
---@return raia.Conversation|nil conversation
---@return string? message
---@return raia.Error? err any kind; `invalid` names the field
---@overload fun(self: raia.Conversations, fields: raia.CreateFields, options: raia.Background): raia.Request
function conversations:create(fields, options) end

---Gets a conversation: GET /external/conversations/{id}.
---@param id string as in `client:conversation`
---@param options? raia.CallOptions
---@return raia.Conversation|nil conversation
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Conversations, id: string, options: raia.Background): raia.Request
function conversations:get(id, options) end

---Deletes all of a user's conversations with this agent: DELETE /external/conversations.
---@param conversationUserId string
---@param options? raia.CallOptions
---@return true|nil deleted
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Conversations, conversationUserId: string, options: raia.Background): raia.Request
function conversations:delete_all(conversationUserId, options) end

---@class raia.ConversationQuery
---@field page? integer from 1
---@field pageSize? integer
---@field orderBy? "createdAt"|"updatedAt"
---@field orderDirection? "ASC"|"DESC"
---@field searchKeyword? string
---@field userId? string the user's
---@field startDate? string ISO 8601, of updatedAt
---@field endDate? string ISO 8601, of updatedAt
---@field withFeedbacksOnly? boolean

---@class raia.Page
---@field currentPage integer
---@field pageSize integer
---@field totalItems integer
---@field totalPages integer
---@field hasNextPage boolean
---@field hasPreviousPage boolean
---@field data any[] conversations or users
local page = {}

---The page after this one, asked with the same query and, unless others are given, options; nil,
---with nothing else, after the last.
---@param options? raia.CallOptions
---@return raia.Page|nil page
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Page, options: raia.Background): raia.Request
function page:next(options) end

---A page of the agent's conversations: GET /external/conversations.
---@param query? raia.ConversationQuery
---@param options? raia.CallOptions
---@return raia.Page|nil page
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Conversations, query?: raia.ConversationQuery, options: raia.Background): raia.Request
function conversations:list(query, options) end

---Iterates over all conversations, page by page: `for conversation in client.conversations:each {}`.
---The next page is asked for while the program works on this one. Raises the `err` that it meets.
---@param query? raia.ConversationQuery
---@param options? raia.CallOptions but `wait`
---@return fun(): raia.Conversation
function conversations:each(query, options) end

---The states that a conversation can have: GET /external/conversations/states.
---@param options? raia.CallOptions
---@return table[]|nil states with `id` and `name`
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Conversations, options: raia.Background): raia.Request
function conversations:states(options) end

---A conversation. Its fields can be read by their names on the wire, such as `title`; one that is
---absent or null is nil, one that the API gains is there. `tostring` says which it is, `pairs` goes
---through a copy of the fields, `==` compares ids, and fields cannot be assigned.
---@class raia.Conversation
---@field id string
---@field conversationUserId? string
---@field title? string
---@field score? number
---@field summary? string
---@field threadId? string
---@field metadata? table with `customData`
---@field aiCallId? string
---@field aiConversationId? string
---@field mode? "manual"|"ai"
---@field conversationStateId? string
---@field user? table the user's fields
---@field createdAt? string ISO 8601
---@field updatedAt? string ISO 8601
---@field assignedUser? table
---@field isAnonymized? boolean
---@field feedbacks? table[] only of `get` and `refresh`
local conversation = {}

---@class raia.FileReference
---@field fileName string
---@field storagePath string of `upload_url`

---@class raia.SendFields
---@field message string may be empty where there are files
---@field context? string
---@field files? raia.FileReference[]

---Sends the user's message and waits for the agent's answer, which can take many seconds:
---POST /external/conversations/{id}/messages. Never sent twice.
---@param message string|raia.SendFields
---@param options? raia.SendOptions
---@return raia.Message|nil answer
---@return string? message
---@return raia.Error? err any kind; when `err.sent` is "maybe", `find_answer` tells whether it arrived
---@overload fun(self: raia.Conversation, message: string|raia.SendFields, options: raia.Background): raia.Request
function conversation:send(message, options) end

---Sends the user's message and does not wait for the agent:
---POST /external/conversations/{id}/messages/async. Never sent twice.
---@param message string|raia.SendFields
---@param options? raia.SendOptions
---@return raia.Message|nil question
---@return string? text
---@return raia.Error? err any kind
---@overload fun(self: raia.Conversation, message: string|raia.SendFields, options: raia.Background): raia.Request
function conversation:send_async(message, options) end

---The answer to a question: GET /external/conversations/{id}/messages/{question}/response-on.
---@param question raia.Message|string the question or its id
---@param options? raia.CallOptions
---@return raia.Message|false|nil answer false while there is none
---@return string? message
---@return raia.Error? err any kind but `invalid`; `failed` when there will be none
---@overload fun(self: raia.Conversation, question: raia.Message|string, options: raia.Background): raia.Request
function conversation:answer_to(question, options) end

---@class raia.AskOptions
---@field timeout? number seconds for all of it; default 300
---@field every? number seconds between two looks at first; it rises to 5; default 1
---@field context? string what the agent should know
---@field headers? table<string, string>
---@field max_retries? integer of each call

---Asks by `send_async`, then looks for the answer until it is there. No connection is held open
---meanwhile, and none that breaks loses the answer once the question is known to be there.
---@param message string|raia.SendFields
---@param options? raia.AskOptions
---@return raia.Message? answer
---@return string? text
---@return raia.Error? err any kind; with `err.question` once the service has the question, whose
---answer `answer_to` can give later; `timeout` when the time is up. Without it, and with `err.sent`
---"maybe", `find_answer` tells whether the question arrived
function conversation:ask(message, options) end

---@class raia.FindOptions
---@field timeout? number seconds for all of it; default 300
---@field every? number seconds between two looks at first; it rises to 5; default 1
---@field after? raia.Message|string the last message, or its id, that was there before the question;
---only later ones count
---@field within? number without `after`: how many seconds old, on the server's clock, the question
---can be; default 900
---@field headers? table<string, string>
---@field max_retries? integer of each call

---After a `send`, `send_async` or `ask` that ended with `err.sent` "maybe": looks in the newest
---messages whether the question arrived, and if so waits for its answer. Sends no message.
---@param text string of the question, exactly
---@param options? raia.FindOptions
---@return raia.Message|false|nil answer false when the question is not there
---@return string? message
---@return raia.Error? err any kind; with `err.question` when the question is there
function conversation:find_answer(text, options) end

---@class raia.WatchOptions
---@field timeout? number seconds; default 300 for `next_message`, for ever for `watch`
---@field every? number seconds between two looks at first; it rises to 5; default 1
---@field after? raia.Message|string the last message known, or its id; default: what is there when it
---begins
---@field headers? table<string, string>
---@field max_retries? integer of each call

---Waits for the next message that anybody adds, by asking for the messages every so often.
---@param options? raia.WatchOptions
---@return raia.Message? message
---@return string? text
---@return raia.Error? err any kind; `timeout` when there was none in time
function conversation:next_message(options) end

---Iterates over the messages that are added: `for message in conversation:watch {}`. It ends when
---the time is up, and raises the `err` of another failure that will not pass.
---@param options? raia.WatchOptions
---@return fun(): raia.Message?
function conversation:watch(options) end

---@class raia.UpdateFields
---@field title? string at most 255 characters
---@field context? string at most 256,000 characters
---@field status? "active"|"inactive"|"archived"
---@field conversationStateId? string

---Changes it: PUT /external/conversations/{id}.
---@param fields raia.UpdateFields
---@param options? raia.CallOptions
---@return raia.Conversation|nil conversation the same one
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Conversation, fields: raia.UpdateFields, options: raia.Background): raia.Request
function conversation:update(fields, options) end

---Sets who answers: PUT /external/conversations/{id}/mode.
---@param mode "manual"|"ai"
---@param options? raia.CallOptions
---@return raia.Conversation|nil conversation the same one
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Conversation, mode: "manual"|"ai", options: raia.Background): raia.Request
function conversation:set_mode(mode, options) end

---@class raia.ManualFields
---@field message string
---@field conversationMessageId? string
---@field authorId? string
---@field files? raia.FileReference[]

---A person's words in the agent's place: POST /external/conversations/{id}/send-manual-message. The
---conversation has to be in manual mode. Never sent twice.
---@param message string|raia.ManualFields
---@param options? raia.CallOptions
---@return raia.Message|nil message
---@return string? text
---@return raia.Error? err any kind
---@overload fun(self: raia.Conversation, message: string|raia.ManualFields, options: raia.Background): raia.Request
function conversation:send_manual(message, options) end

---@class raia.UploadFields
---@field fileName string
---@field contentType string

---A place for a file that messages then name:
---POST /external/conversations/{id}/message-files/upload-url. PUT the bytes to `signedUrl`, without
---the key, with that Content-Type; `storagePath` goes into `files`.
---@param fields raia.UploadFields
---@param options? raia.CallOptions
---@return table|nil place with `signedUrl` and `storagePath`
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Conversation, fields: raia.UploadFields, options: raia.Background): raia.Request
function conversation:upload_url(fields, options) end

---@class raia.FileToSend
---@field path? string a regular file, which is read while it is sent
---@field bytes? string or these bytes
---@field name? string what it is called; default the last part of the path
---@field type? string its Content-Type; default by the name's ending, else
---`application/octet-stream`

---@class raia.UploadOptions
---@field timeout? number seconds for one attempt; default 3,600
---@field max_retries? integer attempts after the first; default the client's
---@field on_progress? fun(done: integer, total: integer?) called every quarter of a second, and at
---the end: bytes sent, and bytes there are; not where `bytes` are sent at once

---Sends a file to where `upload_url` says, another server, which gets neither the key nor the
---client's headers, by PUT; `on_event` is not told. It is https or this machine, and redirects are
---not followed. May be sent again when a connection breaks: only a message that names the file has
---an effect.
---@param what string|raia.FileToSend a path or a table
---@param options? raia.UploadOptions
---@return raia.FileReference? reference for `files` of a message
---@return string? message
---@return raia.Error? err any kind; `file` when it cannot be read, `decode` for an URL that cannot be
---right
function conversation:upload(what, options) end

---@class raia.DownloadOptions
---@field timeout? number seconds for one attempt; default 3,600
---@field max_retries? integer attempts after the first; default the client's
---@field max_bytes? integer the most that may come; default none for a path, else the client's
---`max_response_bytes`
---@field on_progress? fun(done: integer, total: integer?) called every quarter of a second, and at
---the end: bytes received, and bytes there are if that is known

---Reads a message's file from where `signed_url` says, without the key. With a path, the file there
---is replaced once the new one is whole, which is written beside it meanwhile.
---@param file string|table its id, or an element of a message's `files`
---@param path? string where it goes; without one, its bytes are returned
---@param options? raia.DownloadOptions
---@return string|true|nil bytes true where they went to a path
---@return string? message
---@return raia.Error? err any kind but `invalid`; `file` when the path cannot be written
function conversation:download(file, path, options) end

---Where a message's file can be read, without the key:
---GET /external/conversations/{id}/message-files/{file}/signed-url.
---@param file string its id, of a message's `files`
---@param options? raia.CallOptions
---@return table|nil place with `signedUrl` and `fileId`
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Conversation, file: string, options: raia.Background): raia.Request
function conversation:signed_url(file, options) end

---The messages so far, the oldest first: GET /external/conversations/{id}/messages.
---@param options? raia.CallOptions
---@return raia.Message[]|nil messages
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Conversation, options: raia.Background): raia.Request
function conversation:messages(options) end

---Reads its fields again: GET /external/conversations/{id}.
---@param options? raia.CallOptions
---@return raia.Conversation|nil conversation the same one
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Conversation, options: raia.Background): raia.Request
function conversation:refresh(options) end

---A user: somebody who talks with the agent. Its fields are read as those of a conversation.
---@class raia.User
---@field id string what `conversationUserId` means elsewhere
---@field firstName? string
---@field lastName? string
---@field context? string
---@field source? string
---@field fkId? string a key of your own
---@field fkUserId? string a key of your own
---@field email? string
---@field phoneNumber? string
---@field metadata? table with `customData`
---@field isAnonymized? boolean
local user = {}

---@class raia.Limits
---@field tokensAmountPerMonth number
---@field smsAmountPerMonth number
---@field emailsAmountPerMonth number
---@field secondsAmountPerMonth number

---The user's limits: GET /external/users/{id}/limits.
---@param options? raia.CallOptions
---@return raia.Limits|nil limits
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.User, options: raia.Background): raia.Request
function user:limits(options) end

---Sets limits, by `update_limits` or, where there are none, `create_limits`.
---@param fields raia.Limits
---@param options? raia.CallOptions but `wait`
---@return raia.Limits? limits
---@return string? message
---@return raia.Error? err any kind
function user:set_limits(fields, options) end

---POST /external/users/{id}/limits.
---@param fields raia.Limits
---@param options? raia.CallOptions
---@return raia.Limits|nil limits
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.User, fields: raia.Limits, options: raia.Background): raia.Request
function user:create_limits(fields, options) end

---PUT /external/users/{id}/limits.
---@param fields raia.Limits
---@param options? raia.CallOptions
---@return raia.Limits|nil limits
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.User, fields: raia.Limits, options: raia.Background): raia.Request
function user:update_limits(fields, options) end

---DELETE /external/users/{id}/limits.
---@param options? raia.CallOptions
---@return true|nil deleted
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.User, options: raia.Background): raia.Request
function user:delete_limits(options) end

---The user's conversations: GET /external/conversations with `userId`.
---@param query? raia.ConversationQuery
---@param options? raia.CallOptions
---@return raia.Page|nil page
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.User, query?: raia.ConversationQuery, options: raia.Background): raia.Request
function user:conversations(query, options) end

---@class raia.Users
local users = {}

---One of fkId, email and phoneNumber is required. Other fields are sent as they are.
---@class raia.UserFields
---@field firstName string may be empty
---@field lastName string may be empty
---@field fkId? string a key of your own
---@field email? string
---@field phoneNumber? string E.164 with a leading "+", which is not checked with
---skipPhoneNumberValidation
---@field fkUserId? string a key of your own
---@field context? string
---@field source? string
---@field customData? table
---@field skipPhoneNumberValidation? boolean
---@field skipEmailValidation? boolean

---Creates a user: POST /external/users. Never sent twice.
---@param fields raia.UserFields
---@param options? raia.CallOptions
---@return raia.User|nil user
---@return string? message
---@return raia.Error? err any kind; `http` with status 400 when there is one with such a key
---@overload fun(self: raia.Users, fields: raia.UserFields, options: raia.Background): raia.Request
function users:create(fields, options) end

---The user with a key, and the ids of the user's conversations: GET /external/users/search.
---@param query { fkId?: string, email?: string, phoneNumber?: string } one of them
---@param options? raia.CallOptions
---@return raia.User|nil user
---@return string[]|string|nil conversationIds or a message
---@return raia.Error? err any kind; `http` with status 404 when there is none
---@overload fun(self: raia.Users, query: { fkId?: string, email?: string, phoneNumber?: string }, options: raia.Background): raia.Request
function users:search(query, options) end

---Searches by fkId, email and phoneNumber, as far as they are there, and else creates the user.
---@param fields raia.UserFields
---@param options? raia.CallOptions but `wait`
---@return raia.User? user
---@return string[]|string|nil conversationIds or a message
---@return raia.Error? err any kind
function users:find_or_create(fields, options) end

---GET /external/users/{id}.
---@param id string
---@param options? raia.CallOptions
---@return raia.User|nil user
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Users, id: string, options: raia.Background): raia.Request
function users:get(id, options) end

---DELETE /external/users/{id}.
---@param id string|raia.User
---@param options? raia.CallOptions
---@return true|nil deleted
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Users, id: string|raia.User, options: raia.Background): raia.Request
function users:delete(id, options) end

---Prompts: one question without a conversation.
---@class raia.Prompts
local prompts = {}

---@class raia.PromptFields
---@field prompt string
---@field tokenTrackingId? string
---@field files? raia.FileReference[]

---@class raia.PromptReply
---@field status string "completed"
---@field response? string
---@field totalTokens? integer

---Asks and waits for the answer: POST /external/prompts. Never sent twice.
---@param prompt string|raia.PromptFields
---@param options? raia.CallOptions
---@return raia.PromptReply|nil reply
---@return string? message
---@return raia.Error? err any kind; `failed` when the agent could not answer
---@overload fun(self: raia.Prompts, prompt: string|raia.PromptFields, options: raia.Background): raia.Request
function prompts:ask(prompt, options) end

---Asks and does not wait: POST /external/prompts/async. Never sent twice.
---@param prompt string|raia.PromptFields
---@param options? raia.CallOptions
---@return string|nil id for `answer_to`
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Prompts, prompt: string|raia.PromptFields, options: raia.Background): raia.Request
function prompts:ask_async(prompt, options) end

---The answer to a prompt: GET /external/prompts/{id}/response-on.
---@param id string
---@param options? raia.CallOptions
---@return raia.PromptReply|false|nil reply false while there is none
---@return string? message
---@return raia.Error? err any kind but `invalid`; `failed` when there will be none
---@overload fun(self: raia.Prompts, id: string, options: raia.Background): raia.Request
function prompts:answer_to(id, options) end

---A place for a file that prompts then name: POST /external/prompts/upload-url.
---@param fields raia.UploadFields
---@param options? raia.CallOptions
---@return table|nil place with `signedUrl` and `storagePath`
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Prompts, fields: raia.UploadFields, options: raia.Background): raia.Request
function prompts:upload_url(fields, options) end

---As `conversation:upload`, for `files` of a prompt.
---@param what string|raia.FileToSend a path or a table
---@param options? raia.UploadOptions
---@return raia.FileReference? reference
---@return string? message
---@return raia.Error? err any kind
function prompts:upload(what, options) end

---@class raia.Agent
local agent = {}

---The agent of the key: GET /external/agents/by-api-key. It has secrets in it: the skills' keys.
---@param options? raia.CallOptions
---@return table|nil agent
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Agent, options: raia.Background): raia.Request
function agent:get(options) end

---The agent's users: GET /external/agents/users.
---@param query? { page?: integer, pageSize?: integer, orderBy?: "createdAt", orderDirection?: "ASC"|"DESC" }
---@param options? raia.CallOptions
---@return raia.Page|table|nil page or whatever else came
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Agent, query?: { page?: integer, pageSize?: integer, orderBy?: "createdAt", orderDirection?: "ASC"|"DESC" }, options: raia.Background): raia.Request
function agent:users(query, options) end

---GET /external/agents/statistic.
---@param query? { startDate?: string, endDate?: string, fkId?: string, fkUserId?: string, userId?: string, conversationUserId?: string }
---@param options? raia.CallOptions
---@return table<string, number>|nil statistic
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Agent, query?: { startDate?: string, endDate?: string, fkId?: string, fkUserId?: string, userId?: string, conversationUserId?: string }, options: raia.Background): raia.Request
function agent:statistic(query, options) end

---What has been used this month: GET /external/agents/limits.
---@param options? raia.CallOptions
---@return table<string, number>|nil usage
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Agent, options: raia.Background): raia.Request
function agent:usage(options) end

---Sets limits, by `update_limits` or, where there are none, `create_limits`.
---@param fields raia.Limits
---@param options? raia.CallOptions but `wait`
---@return raia.Limits? limits
---@return string? message
---@return raia.Error? err any kind
function agent:set_limits(fields, options) end

---POST /external/agents/limits.
---@param fields raia.Limits
---@param options? raia.CallOptions
---@return raia.Limits|nil limits
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Agent, fields: raia.Limits, options: raia.Background): raia.Request
function agent:create_limits(fields, options) end

---PUT /external/agents/limits.
---@param fields raia.Limits any of them
---@param options? raia.CallOptions
---@return raia.Limits|nil limits
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Agent, fields: raia.Limits, options: raia.Background): raia.Request
function agent:update_limits(fields, options) end

---DELETE /external/agents/limits.
---@param options? raia.CallOptions
---@return true|nil deleted
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Agent, options: raia.Background): raia.Request
function agent:delete_limits(options) end

---@class raia.WebhookFields
---@field title string
---@field description string
---@field url string https, a public address
---@field triggerCondition "each_message"|"end_dialog"|"start_dialog"|"chat_currently_unavailable"|"auto_archive_conversation"|"manual"
---@field headers? table<string, string> a secret of your own, say: webhooks carry no signature

---POST /external/agents/webhooks. Never sent twice.
---@param fields raia.WebhookFields
---@param options? raia.CallOptions
---@return table|nil webhook
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Agent, fields: raia.WebhookFields, options: raia.Background): raia.Request
function agent:create_webhook(fields, options) end

---The agent's files.
---@class raia.Files
local files = {}

---@class raia.StoreOptions : raia.UploadOptions
---@field autoAddToVectorStore? boolean has the agent know it

---Adds a file, as a form: POST /external/agent-files/upload. A path is read while it is sent,
---whatever its size. Never sent twice.
---@param what string|raia.FileToSend a path or a table
---@param options? raia.StoreOptions
---@return table? file with `id`, `fileName`, `url`
---@return string? message
---@return raia.Error? err any kind; `file` when it cannot be read
function files:upload(what, options) end

---GET /external/agent-files/by-api-key.
---@param options? raia.CallOptions
---@return table[]|nil files
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Files, options: raia.Background): raia.Request
function files:list(options) end

---DELETE /external/agent-files/{id}/delete.
---@param id string
---@param options? raia.CallOptions
---@return true|nil deleted
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Files, id: string, options: raia.Background): raia.Request
function files:delete(id, options) end

---DELETE /external/agent-files.
---@param fields { fileIds: string[] }
---@param options? raia.CallOptions
---@return true|nil deleted
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Files, fields: { fileIds: string[] }, options: raia.Background): raia.Request
function files:delete_many(fields, options) end

---Has the agent know a file: PUT /external/agent-files/{id}/add-to-vector-store.
---@param id string
---@param options? raia.CallOptions
---@return true|nil done
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Files, id: string, options: raia.Background): raia.Request
function files:add_to_store(id, options) end

---The same without waiting: PUT /external/agent-files/{id}/add-to-vector-store/async.
---@param id string
---@param options? raia.CallOptions
---@return true|nil begun
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Files, id: string, options: raia.Background): raia.Request
function files:add_to_store_async(id, options) end

---DELETE /external/agent-files/{id}/delete-from-vector-store.
---@param id string
---@param options? raia.CallOptions
---@return true|nil done
---@return string? message
---@return raia.Error? err any kind but `invalid`
---@overload fun(self: raia.Files, id: string, options: raia.Background): raia.Request
function files:remove_from_store(id, options) end

---@class raia.Usage
local usage = {}

---POST /external/resource-usage. Never sent twice.
---@param fields { type: "OPENAI_TOKENS"|"VAPI_SECONDS", amount: number }
---@param options? raia.CallOptions
---@return true|nil recorded
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Usage, fields: { type: "OPENAI_TOKENS"|"VAPI_SECONDS", amount: number }, options: raia.Background): raia.Request
function usage:record(fields, options) end

---@class raia.Feedbacks
local feedbacks = {}

---@class raia.FeedbackFields
---@field conversationMessageId string
---@field userId string
---@field voteType "up"|"down"
---@field question string
---@field answer? string
---@field comment? string

---POST /external/conversation-message-feedbacks. Never sent twice.
---@param fields raia.FeedbackFields
---@param options? raia.CallOptions
---@return table|nil feedback
---@return string? message
---@return raia.Error? err any kind
---@overload fun(self: raia.Feedbacks, fields: raia.FeedbackFields, options: raia.Background): raia.Request
function feedbacks:create(fields, options) end

---A message. Its fields are read as those of a conversation; `tostring` gives its text.
---@class raia.Message
---@field id string
---@field message? string
---@field rawMessage? string
---@field conversationId? string
---@field senderRole? "conversation_user"|"assistant"|"manual_assistant"
---@field conversationMessageId? string of an answer: the id of the question
---@field source? string "api", "email", "sms" and others
---@field createdAt? string ISO 8601
---@field conversationMessageFeedbacks? table[]
---@field fullAIResponse? table
---@field files? table[] with `id` and `fileName`
---@field isAnonymized? boolean
local message = {} -- luacheck: ignore

---A call under way, from an option `wait = false`. It moves along whenever any call waits. One
---that is collected, or under way when its client is or the program ends, is dropped: a warning of
---Lua's and a line of `RAIA_LOG` name it and say whether it may have been carried out. None is
---given for what `cancel` or `client:close` ended, or where its results were asked for since.
---@class raia.Request
local request = {}

---Whether it has come to an end. Moves all that is in flight along, without waiting.
---@return boolean
function request:done() end

---Waits for what the call would have returned, and returns it; each time the same.
---@param seconds? number at most so long (then `nil, message`, and the request goes on); default
---for ever
---@return any
---@return string? message
---@return raia.Error? err
function request:wait(seconds) end

---What `wait(0)` returns.
---@return any
---@return string? message
---@return raia.Error? err
function request:result() end

---Ends it with kind `cancelled`, unless it is done.
---@return boolean cancelled
function request:cancel() end

---@class raia.RequestInfo
---@field attempts integer how many were begun
---@field elapsed number seconds that the last of them took
---@field status? integer of HTTP, when there was a reply
---@field request_id? string the server's name for the request
---@field headers? table<string, string> of the reply, names in lower case, the key masked; values of
---a name that came more than once are joined by ", "

---What is known of its last attempt, of a success, too. Sends nothing and waits for nothing.
---@return raia.RequestInfo info
function request:info() end

-- Many at once. The calls above block in a plain script. In a task they suspend only their task,
-- and in a coroutine of the event loop in use only that coroutine. In any other coroutine, such as
-- a generator, they block: they never yield to a stranger.

---Runs fn and all the tasks spawned in it, and returns what fn returns when all have ended. What fn
---raises, or a task that nobody is joining, ends it at once: the others are cancelled, the error is
---raised, and a warning of Lua's tells each error after it.
---Within a task it suspends that task.
---@param fn function
---@param ... any its arguments
---@return any ...
function raia.run(fn, ...) end

---Makes a task of fn. It belongs to the call it is spawned in and ends with it: `run` waits for it;
---`gather`, `map`, `each` and `timeout` cancel it when they are done. Spawned outside of these it
---belongs to nothing. It runs in `raia.run`, in `raia.step`, while somebody outside of all tasks
---joins or sleeps, and in the event loop in use. One that has not ended when the program does is
---dropped, and a warning of Lua's says where it was.
---@param fn function
---@param ... any its arguments
---@return raia.Task
function raia.spawn(fn, ...) end

---@class raia.Task
local task = {}

---Waits for the task to end and returns what its function returned. Raises what it raised; a
---string has the task's traceback added. Of a cancelled task: `nil, message, err` with kind `cancelled`.
---@param seconds? number at most so long; then it returns `nil, message, err` with kind `timeout`,
---and the task goes on
---@return any ...
function task:join(seconds) end

---Ends the task where it waits, and waits until it has ended. One that has what it waited for has
---its turn first. No pcall of the task keeps it from ending. The request that a call of the task
---waits for is cancelled, unless others wait for it, too; its `<close>` handlers run, and may make
---calls and wait, for five seconds in all. Raises when it is called by the task itself.
---@return boolean cancelled false: it had ended
function task:cancel() end

---Gives way, so that a task which polls it does not hold up the others.
---@return boolean done whether it has ended
function task:done() end

---Runs functions side by side.
---@generic R
---@param functions (fun(): R?, any, any)[]
---@return R[]|nil results the first result of each; nil when one of them fails, that is, returns
---nil or false with something behind it; the others are then cancelled
---@return any message of the first that failed
---@return any err of the first that failed; `err.index` says which, `err.results` what the others
---had come to
function raia.gather(functions) end

---@class raia.MapOptions
---@field concurrency? integer how many at most at a time; default 16
---@field on_progress? fun(done: integer, total: integer) called after each
---@field on_error? "stop"|"collect" default "stop"
---@field rate? number how many calls of fn begin a second, at most

---@class raia.MapFailure
---@field message string
---@field err any what came behind the message, or what was raised

---Calls fn(element, index) for each element of a list, side by side. With `on_error = "stop"` the
---first failure, as in `gather`, cancels the others and is returned; an error raised in fn is
---raised. With "collect" both are kept.
---@generic T, R
---@param list T[]
---@param fn fun(element: T, index: integer): R?, any, any
---@param options? raia.MapOptions
---@return R[]|nil results in the order of the list, nil where fn failed
---@return table<integer, raia.MapFailure>|any failures by index, with "collect"; else the message
---@return any err as of `gather`
function raia.map(list, fn, options) end

---@class raia.EachOptions
---@field concurrency? integer how many at most are begun and not yet taken by the loop; default 16
---@field rate? number how many calls of fn begin a second, at most

---Calls fn(element, index) for each element of a list, side by side, and gives the results as they
---come: `for i, result, message, err in raia.each(list, fn) do`. When the loop ends, by `break`,
---too, what is left is cancelled. It raises what fn raises.
---@generic T, R
---@param list T[]
---@param fn fun(element: T, index: integer): R?, any, any
---@param options? raia.EachOptions
---@return fun(): integer?, R?, any, any
function raia.each(list, fn, options) end

---Makes a queue. Tasks, callbacks of an event loop and plain scripts may put and take.
---@param room? integer how many values it holds before `put` waits; 0: each is handed from one to
---the other; default: as many as there are
---@return raia.Queue
function raia.queue(room) end

---`for value in queue do` takes until the queue is closed; `#queue` is how many values it holds.
---@class raia.Queue
local queue = {}

---Puts a value, which can't be nil, and waits while there is no room.
---@param value any
---@return true? put nil: the queue is closed
---@return string? message
---@return raia.Error? err of kind `closed`
function queue:put(value) end

---Takes the oldest value, and waits while there is none.
---@param seconds? number at most so long
---@return any value nil: the queue is closed and empty, or, with a message behind it, time is up
---@return string? message
---@return raia.Error? err of kind `timeout`
function queue:take(seconds) end

---Closes it: what is in it can still be taken.
function queue:close() end

---Suspends the task or coroutine, or blocks. 0 gives way: the others have a turn.
---@param seconds number
function raia.sleep(seconds) end

---@return number seconds of a clock that never goes back
function raia.now() end

---Calls fn as a task, for at most so many seconds; then it is cancelled. What has come by then
---counts: an answer that is there is had, whatever the clock says. With 0 fn is not called.
---@param seconds number
---@param fn function
---@param ... any its arguments
---@return any ... what fn returns; or `nil, message, err` with kind `timeout`, and in `err.results`
---what a `map` or `gather` that it cut short had come to
function raia.timeout(seconds, fn, ...) end

---Moves everything along: for programs with a loop of their own.
---@param seconds? number how long to wait for something to happen; default 0
---@return integer in_flight how many requests are
function raia.step(seconds) end

---@class raia.ProgressOptions
---@field quiet? boolean say nothing

---An `on_progress` for `map` that tells on standard error how far it is: on a terminal a bar with
---rate and time left, elsewhere a line every five seconds.
---@param label? string
---@param options? raia.ProgressOptions
---@return fun(done: integer, total: integer)
function raia.progress(label, options) end

---Has calls suspend in the coroutines of an event loop. Under "cqueues" these are the coroutines
---that a controller runs; luv runs callbacks, so under "luv" they are the tasks of `raia.spawn`.
---@param loop "cqueues"|"luv"|raia.Loop|nil nil: none
function raia.use(loop) end

---What an event loop has to offer to `raia.use`. All but `watch` is only needed by a loop that
---runs coroutines. A token is whatever stands for one of these.
---@class raia.Loop
---@field watch fun(fd?: integer, seconds?: number, step: function) have step() called when the
---descriptor fd is readable, and after so many seconds; nil: not for that. It replaces what an
---earlier call asked for. step() may call it.
---@field current? fun(): any a token for the running coroutine; nil when it is none of the loop's
---@field suspend? fun(token: any, seconds: number) suspend the running coroutine until it is
---resumed or, unless they are math.huge, the seconds are over
---@field adopt? fun(go_on: function, ...): function? have a task wait that has yielded the values
---behind go_on, which are the loop's own: go_on(...) resumes it with results. Returns a function
---that gives the wait up; nil: these values mean nothing to the loop
---@field resume? fun(token: any) have a coroutine go on soon; it may have ended or gone on already

return raia
