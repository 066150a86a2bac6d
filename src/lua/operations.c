/* The API as a table, one row per operation. */
#include "operations.h"

enum { EMAIL = 1, SMS = 2, VOICE = 4 };

static const char *const channels[] = {"email", "sms", "voice", NULL};

static const struct raia_field start_fields[] = {
    {.name = "channel", .required = RAIA_ALWAYS, .values = channels},
    {.name = "firstName", .required = RAIA_ALWAYS},
    {.name = "lastName", .required = RAIA_ALWAYS},
    {.name = "email", .required = EMAIL},
    {.name = "emailSubject", .required = EMAIL},
    {.name = "emailIntroduction", .required = EMAIL},
    {.name = "phoneNumber", .required = SMS | VOICE, .phone = true},
    {.name = "smsIntroduction", .required = SMS},
    {.name = "firstMessage", .required = VOICE},
    {.name = "context"},
    {.name = "conversationContext"},
    {.name = "source"},
    {.name = "fkId"},
    {.name = "fkUserId"},
    {.name = "customData", .type = RAIA_OBJECT},
    {.name = "resetConversation", .type = RAIA_BOOLEAN, .refused = VOICE},
    {.name = "includeSignatureInEmail", .type = RAIA_BOOLEAN},
    {.name = "includeSignatureInSms", .type = RAIA_BOOLEAN},
    {0}};

static const struct raia_field create_fields[] = {
    {.name = "conversationUserId", .required = RAIA_ALWAYS},
    {.name = "title", .greatest = 255},
    {.name = "context", .greatest = 256000},
    {.name = "customData", .type = RAIA_OBJECT},
    {0}};

static const struct raia_field delete_fields[] = {
    {.name = "conversationUserId", .required = RAIA_ALWAYS}, {0}};

static const struct raia_field send_fields[] = {
    {.name = "message", .required = RAIA_ALWAYS},
    {.name = "context"},
    {.name = "files", .type = RAIA_LIST},
    {0}};

static const struct raia_schema start_schema = {start_fields, "channel",
                                                channels};
static const struct raia_schema create_schema = {create_fields, 0, 0};
static const struct raia_schema delete_schema = {delete_fields, 0, 0};
static const struct raia_schema send_schema = {send_fields, 0, 0};

#define CONVERSATIONS "/external/conversations"

const struct raia_operation raia_operations[] = {
    {.name = "start",
     .owner = RAIA_ON_CONVERSATIONS,
     .method = "POST",
     .path = CONVERSATIONS "/start",
     .takes = RAIA_TAKES_BODY,
     .schema = &start_schema,
     .result = RAIA_RESULT_STARTED},
    {.name = "create",
     .owner = RAIA_ON_CONVERSATIONS,
     .method = "POST",
     .path = CONVERSATIONS,
     .takes = RAIA_TAKES_BODY,
     .schema = &create_schema,
     .result = RAIA_RESULT_CONVERSATION},
    {.name = "get",
     .owner = RAIA_ON_CONVERSATIONS,
     .method = "GET",
     .path = CONVERSATIONS "/{}",
     .takes = RAIA_TAKES_ID,
     .result = RAIA_RESULT_CONVERSATION},
    {.name = "delete_all",
     .owner = RAIA_ON_CONVERSATIONS,
     .method = "DELETE",
     .path = CONVERSATIONS,
     .takes = RAIA_TAKES_BODY,
     .shorthand = "conversationUserId",
     .schema = &delete_schema,
     .result = RAIA_RESULT_NOTHING},
    {.name = "send",
     .owner = RAIA_ON_CONVERSATION,
     .method = "POST",
     .path = CONVERSATIONS "/{}/messages",
     .takes = RAIA_TAKES_BODY,
     .shorthand = "message",
     .option = "context",
     .schema = &send_schema,
     .result = RAIA_RESULT_MESSAGE,
     .timeout = 300},
    {.name = "messages",
     .owner = RAIA_ON_CONVERSATION,
     .method = "GET",
     .path = CONVERSATIONS "/{}/messages",
     .result = RAIA_RESULT_MESSAGES,
     .large = true},
    {.name = "refresh",
     .owner = RAIA_ON_CONVERSATION,
     .method = "GET",
     .path = CONVERSATIONS "/{}",
     .result = RAIA_RESULT_REFRESH},
    {0}};

const struct raia_operation raia_request_operation = {
    .name = "request", .result = RAIA_RESULT_TABLE, .large = true};

const char *raia_operation_owner(const struct raia_operation *operation) {
  return operation == &raia_request_operation        ? "client"
         : operation->owner == RAIA_ON_CONVERSATIONS ? "conversations"
                                                     : "conversation";
}
