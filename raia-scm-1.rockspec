rockspec_format = "3.0"
package = "raia"
version = "scm-1"
source = { url = "git+https://github.com/raia-lua/raia.git" }
description = {
  summary = "A client for the conversations API of the raia platform",
  detailed = [[
Talks to AI agents on the raia platform: starts conversations by email, SMS, voice or API, sends
messages and waits for the agent's answers, reads histories and deletes them. Written in C on
libcurl (7.87 or later). A local raia for development, raia-sandbox, comes with it; it needs the
rocks http and argparse.]],
  license = "MIT",
}
dependencies = { "lua ~> 5.4", "lua-cjson" } -- the latter for what is written in Lua
external_dependencies = { CURL = { library = "curl" } }
build = {
  type = "builtin",
  modules = {
    ["raia.core"] = {
      sources = {
        "src/net/base_url.c",
        "src/net/buffer.c",
        "src/net/delivery.c",
        "src/net/endpoint.c",
        "src/net/events.c",
        "src/net/events_epoll.c",
        "src/net/events_kqueue.c",
        "src/net/exchange.c",
        "src/net/handle.c",
        "src/net/headers.c",
        "src/net/loop.c",
        "src/net/multi.c",
        "src/net/outcome.c",
        "src/net/path.c",
        "src/net/process.c",
        "src/net/proxy.c",
        "src/net/retry.c",
        "src/net/secrets.c",
        "src/net/sockets.c",
        "src/net/timer.c",
        "src/net/tls.c",
        "src/net/trace.c",
        "src/net/transfer.c",
        "src/lua/call.c",
        "src/lua/client.c",
        "src/lua/conversation.c",
        "src/lua/error.c",
        "src/lua/gc_pause.c",
        "src/lua/hide.c",
        "src/lua/hooks.c",
        "src/lua/info.c",
        "src/lua/interrupt.c",
        "src/lua/json_read.c",
        "src/lua/json_write.c",
        "src/lua/message.c",
        "src/lua/module.c",
        "src/lua/notify.c",
        "src/lua/object.c",
        "src/lua/operations.c",
        "src/lua/options.c",
        "src/lua/request.c",
        "src/lua/result.c",
        "src/lua/schema.c",
        "src/lua/tasks.c",
        "src/lua/utf8.c",
        "src/lua/wait.c",
      },
      defines = { "_GNU_SOURCE" },
      libraries = { "curl", "m", "pthread" },
      incdirs = { "src", "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
    },
    raia = "lua/raia/init.lua",
    ["raia.loop.cqueues"] = "lua/raia/loop/cqueues.lua",
    ["raia.loop.luv"] = "lua/raia/loop/luv.lua",
    ["raia.many"] = "lua/raia/many.lua",
    ["raia.meta"] = "lua/raia/meta.lua",
    ["raia.progress"] = "lua/raia/progress.lua",
    ["raia.sandbox"] = "lua/raia/sandbox/init.lua",
    ["raia.sandbox.main"] = "lua/raia/sandbox/main.lua",
    ["raia.sandbox.server"] = "lua/raia/sandbox/server.lua",
    ["raia.sandbox.store"] = "lua/raia/sandbox/store.lua",
    ["raia.queue"] = "lua/raia/queue.lua",
    ["raia.schedule"] = "lua/raia/schedule.lua",
    ["raia.task"] = "lua/raia/task.lua",
  },
  install = { bin = { ["raia-sandbox"] = "lua/raia/sandbox/main.lua" } },
}
