/* The API as a table, one row per operation. */
#include "operations.h"

#include <stddef.h>

/* ---- the fields of bodies and queries ---- */

enum { EMAIL = 1, SMS = 2, VOICE = 4 };

#define NEEDED .required = RAIA_ALWAYS
#define IS(kind) .type = RAIA_##kind

static const char *const channels[] = {"email", "sms", "voice", NULL};
static const char *const modes[] = {"manual", "ai", NULL};
static const char *const statuses[] = {"active", "inactive", "archived", NULL};
static const char *const directions[] = {"ASC", "DESC", NULL};
static const char *const dates[] = {"createdAt", "updatedAt", NULL};
static const char *const created[] = {"createdAt", NULL};
static const char *const votes[] = {"up", "down", NULL};
static const char *const resources[] = {"OPENAI_TOKENS", "VAPI_SECONDS", NULL};
static const char *const triggers[] = {"each_message",
                                       "end_dialog",
                                       "start_dialog",
                                       "chat_currently_unavailable",
                                       "auto_archive_conversation",
                                       "manual",
                                       NULL};
static const char *const contacts[] = {"fkId", "email", "phoneNumber", NULL};

#define PHONE .phone = true, .unless = "skipPhoneNumberValidation"

static const struct raia_field start[] = {
    {.name = "channel", NEEDED, .values = channels},
    {.name = "firstName", NEEDED},
    {.name = "lastName", NEEDED},
    {.name = "email", .required = EMAIL},
    {.name = "emailSubject", .required = EMAIL},
    {.name = "emailIntroduction", .required = EMAIL},
    {.name = "phoneNumber", .required = SMS | VOICE, PHONE},
    {.name = "smsIntroduction", .required = SMS},
    {.name = "firstMessage", .required = VOICE},
    {.name = "context"},
    {.name = "conversationContext"},
    {.name = "conversationStateId"},
    {.name = "authorId"},
    {.name = "source"},
    {.name = "fkId"},
    {.name = "fkUserId"},
    {.name = "customData", IS(OBJECT)},
    {.name = "resetConversation", IS(BOOLEAN), .refused = VOICE},
    {.name = "includeSignatureInEmail", IS(BOOLEAN)},
    {.name = "includeSignatureInSms", IS(BOOLEAN)},
    {.name = "skipPhoneNumberValidation", IS(BOOLEAN)},
    {.name = "skipEmailValidation", IS(BOOLEAN)},
    {0}};

static const struct raia_field create[] = {
    {.name = "conversationUserId", NEEDED},
    {.name = "title", .greatest = 255},
    {.name = "context", .greatest = 256000},
    {.name = "conversationStateId"},
    {.name = "customData", IS(OBJECT)},
    {0}};

static const struct raia_field delete_all[] = {
    {.name = "conversationUserId", NEEDED}, {0}};

static const struct raia_field update[] = {
    {.name = "title", .greatest = 255},
    {.name = "context", .greatest = 256000},
    {.name = "status", .values = statuses},
    {.name = "conversationStateId"},
    {0}};

static const struct raia_field mode[] = {
    {.name = "mode", NEEDED, .values = modes}, {0}};

static const struct raia_field list[] = {
    {.name = "page", IS(NUMBER)},
    {.name = "pageSize", IS(NUMBER)},
    {.name = "orderBy", .values = dates},
    {.name = "orderDirection", .values = directions},
    {.name = "searchKeyword"},
    {.name = "userId"},
    {.name = "startDate"},
    {.name = "endDate"},
    {.name = "withFeedbacksOnly", IS(BOOLEAN)},
    {0}};

static const struct raia_field file[] = {
    {.name = "fileName", NEEDED}, {.name = "storagePath", NEEDED}, {0}};

static const struct raia_field message[] = {
    {.name = "message", NEEDED},
    {.name = "context"},
    {.name = "files", IS(LIST), .of = file},
    {0}};

static const struct raia_field manual[] = {
    {.name = "message", NEEDED},
    {.name = "conversationMessageId"},
    {.name = "authorId"},
    {.name = "files", IS(LIST), .of = file},
    {0}};

static const struct raia_field upload[] = {
    {.name = "fileName", NEEDED}, {.name = "contentType", NEEDED}, {0}};

static const struct raia_field user[] = {
    {.name = "firstName", NEEDED},
    {.name = "lastName", NEEDED},
    {.name = "context"},
    {.name = "source"},
    {.name = "fkId"},
    {.name = "fkUserId"},
    {.name = "customData", IS(OBJECT)},
    {.name = "email"},
    {.name = "phoneNumber", PHONE},
    {.name = "skipPhoneNumberValidation", IS(BOOLEAN)},
    {.name = "skipEmailValidation", IS(BOOLEAN)},
    {0}};

static const struct raia_field search[] = {
    {.name = "email"}, {.name = "phoneNumber"}, {.name = "fkId"}, {0}};

static const struct raia_field limits[] = {
    {.name = "tokensAmountPerMonth", NEEDED, IS(NUMBER)},
    {.name = "smsAmountPerMonth", NEEDED, IS(NUMBER)},
    {.name = "emailsAmountPerMonth", NEEDED, IS(NUMBER)},
    {.name = "secondsAmountPerMonth", NEEDED, IS(NUMBER)},
    {0}};

static const struct raia_field some_limits[] = {
    {.name = "tokensAmountPerMonth", IS(NUMBER)},
    {.name = "smsAmountPerMonth", IS(NUMBER)},
    {.name = "emailsAmountPerMonth", IS(NUMBER)},
    {.name = "secondsAmountPerMonth", IS(NUMBER)},
    {0}};

static const struct raia_field prompt[] = {
    {.name = "prompt", NEEDED},
    {.name = "tokenTrackingId"},
    {.name = "files", IS(LIST), .of = file},
    {0}};

static const struct raia_field users[] = {
    {.name = "page", IS(NUMBER)},
    {.name = "pageSize", IS(NUMBER)},
    {.name = "orderBy", .values = created},
    {.name = "orderDirection", .values = directions},
    {0}};

static const struct raia_field statistic[] = {{.name = "startDate"},
                                              {.name = "endDate"},
                                              {.name = "fkId"},
                                              {.name = "fkUserId"},
                                              {.name = "userId"},
                                              {.name = "conversationUserId"},
                                              {0}};

static const struct raia_field webhook[] = {
    {.name = "title", NEEDED},
    {.name = "description", NEEDED},
    {.name = "url", NEEDED},
    {.name = "triggerCondition", NEEDED, .values = triggers},
    {.name = "headers", IS(OBJECT)},
    {0}};

static const struct raia_field file_ids[] = {
    {.name = "fileIds", NEEDED, IS(LIST), .of = RAIA_STRINGS}, {0}};

static const struct raia_field usage[] = {
    {.name = "type", NEEDED, .values = resources},
    {.name = "amount", NEEDED, IS(NUMBER)},
    {0}};

static const struct raia_field feedback[] = {
    {.name = "conversationMessageId", NEEDED},
    {.name = "userId", NEEDED},
    {.name = "voteType", NEEDED, .values = votes},
    {.name = "question", NEEDED},
    {.name = "answer"},
    {.name = "comment"},
    {0}};

static const struct raia_schema start_schema = {start, "channel", channels, 0};
static const struct raia_schema user_schema = {user, 0, 0, contacts};
static const struct raia_schema search_schema = {search, 0, 0, contacts};

/* ---- the operations ---- */

#define OPERATION(object, called, http, at, makes, ...)                       \
  {                                                                           \
    .owner = RAIA_ON_##object, .name = called, .method = http,                \
    .path = "/external/" at, .result = RAIA_RESULT_##makes, __VA_ARGS__       \
  }
#define NOTHING .takes = RAIA_TAKES_NOTHING
#define ID .takes = RAIA_TAKES_ID
#define ID_OF(some) .takes = RAIA_TAKES_ID, .class = "raia." some
#define BODY_OF(some) .takes = RAIA_TAKES_BODY, .schema = some
#define QUERY_OF(some) .takes = RAIA_TAKES_QUERY, .schema = some
#define FIELDS(some) (&(const struct raia_schema){some, 0, 0, 0})
#define BODY(some) BODY_OF(FIELDS(some))
#define QUERY(some) QUERY_OF(FIELDS(some))
#define OR_STRING(field) .shorthand = field

enum { AGENT_SECONDS = 300 }; /* of calls that an agent answers */

/* clang-format off */
const struct raia_operation raia_operations[] = {
  OPERATION(CONVERSATIONS, "start", "POST", "conversations/start", STARTED, BODY_OF(&start_schema)),
  OPERATION(CONVERSATIONS, "create", "POST", "conversations", CONVERSATION, BODY(create)),
  OPERATION(CONVERSATIONS, "get", "GET", "conversations/{}", CONVERSATION, ID_OF("conversation")),
  OPERATION(CONVERSATIONS, "delete_all", "DELETE", "conversations", NOTHING, BODY(delete_all), OR_STRING("conversationUserId")),

  OPERATION(CONVERSATION, "send", "POST", "conversations/{}/messages", MESSAGE, BODY(message), OR_STRING("message"), .option = "context", .timeout = AGENT_SECONDS),
  OPERATION(CONVERSATION, "messages", "GET", "conversations/{}/messages", MESSAGES, NOTHING, .large = true),
  OPERATION(CONVERSATION, "refresh", "GET", "conversations/{}", REFRESH, NOTHING),

  OPERATION(CONVERSATIONS, "list", "GET", "conversations", CONVERSATIONS, QUERY(list), .large = true),
  OPERATION(CONVERSATIONS, "states", "GET", "conversations/states", LIST, NOTHING),

  OPERATION(CONVERSATION, "update", "PUT", "conversations/{}", REFRESH, BODY(update)),
  OPERATION(CONVERSATION, "set_mode", "PUT", "conversations/{}/mode", REFRESH, BODY(mode), OR_STRING("mode")),
  OPERATION(CONVERSATION, "send_async", "POST", "conversations/{}/messages/async", MESSAGE, BODY(message), OR_STRING("message"), .option = "context"),
  OPERATION(CONVERSATION, "answer_to", "GET", "conversations/{}/messages/{}/response-on", ANSWER, ID_OF("message")),
  OPERATION(CONVERSATION, "send_manual", "POST", "conversations/{}/send-manual-message", MESSAGE, BODY(manual), OR_STRING("message")),
  OPERATION(CONVERSATION, "upload_url", "POST", "conversations/{}/message-files/upload-url", TABLE, BODY(upload)),
  OPERATION(CONVERSATION, "signed_url", "GET", "conversations/{}/message-files/{}/signed-url", TABLE, ID),

  OPERATION(USERS, "create", "POST", "users", USER, BODY_OF(&user_schema)),
  OPERATION(USERS, "search", "GET", "users/search", FOUND, QUERY_OF(&search_schema)),
  OPERATION(USERS, "get", "GET", "users/{}", USER, ID_OF("user")),
  OPERATION(USERS, "delete", "DELETE", "users/{}", NOTHING, ID_OF("user")),

  OPERATION(USER, "limits", "GET", "users/{}/limits", TABLE, NOTHING),
  OPERATION(USER, "create_limits", "POST", "users/{}/limits", TABLE, BODY(limits)),
  OPERATION(USER, "update_limits", "PUT", "users/{}/limits", TABLE, BODY(limits)),
  OPERATION(USER, "delete_limits", "DELETE", "users/{}/limits", NOTHING, NOTHING),

  OPERATION(PROMPTS, "ask", "POST", "prompts", PROMPT, BODY(prompt), OR_STRING("prompt"), .timeout = AGENT_SECONDS),
  OPERATION(PROMPTS, "ask_async", "POST", "prompts/async", PROMPT_ID, BODY(prompt), OR_STRING("prompt")),
  OPERATION(PROMPTS, "answer_to", "GET", "prompts/{}/response-on", PROMPT, ID),
  OPERATION(PROMPTS, "upload_url", "POST", "prompts/upload-url", TABLE, BODY(upload)),

  OPERATION(AGENT, "get", "GET", "agents/by-api-key", TABLE, NOTHING),
  OPERATION(AGENT, "users", "GET", "agents/users", USERS, QUERY(users), .large = true),
  OPERATION(AGENT, "statistic", "GET", "agents/statistic", TABLE, QUERY(statistic)),
  OPERATION(AGENT, "create_webhook", "POST", "agents/webhooks", TABLE, BODY(webhook)),
  OPERATION(AGENT, "usage", "GET", "agents/limits", TABLE, NOTHING),
  OPERATION(AGENT, "create_limits", "POST", "agents/limits", TABLE, BODY(limits)),
  OPERATION(AGENT, "update_limits", "PUT", "agents/limits", TABLE, BODY(some_limits)),
  OPERATION(AGENT, "delete_limits", "DELETE", "agents/limits", NOTHING, NOTHING),

  OPERATION(FILES, "list", "GET", "agent-files/by-api-key", LIST, NOTHING, .large = true),
  OPERATION(FILES, "delete", "DELETE", "agent-files/{}/delete", NOTHING, ID),
  OPERATION(FILES, "delete_many", "DELETE", "agent-files", NOTHING, BODY(file_ids)),
  OPERATION(FILES, "add_to_store", "PUT", "agent-files/{}/add-to-vector-store", NOTHING, ID),
  OPERATION(FILES, "add_to_store_async", "PUT", "agent-files/{}/add-to-vector-store/async", NOTHING, ID),
  OPERATION(FILES, "remove_from_store", "DELETE", "agent-files/{}/delete-from-vector-store", NOTHING, ID),

  OPERATION(USAGE, "record", "POST", "resource-usage", NOTHING, BODY(usage)),
  OPERATION(FEEDBACKS, "create", "POST", "conversation-message-feedbacks", TABLE, BODY(feedback)),
  {0}};
/* clang-format on */

const struct raia_operation raia_request_operation = {
    .name = "request", .result = RAIA_RESULT_TABLE, .large = true};

const char *raia_owner_class(enum raia_owner owner) {
  static const char *const classes[] = {
      "raia.conversations", "raia.users",        "raia.prompts",
      "raia.agent",         "raia.files",        "raia.usage",
      "raia.feedbacks",     "raia.conversation", "raia.user"};
  return classes[owner];
}

const char *raia_operation_owner(const struct raia_operation *operation) {
  return operation == &raia_request_operation
             ? "client"
             : raia_owner_class(operation->owner) + sizeof "raia." - 1;
}
