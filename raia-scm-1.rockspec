rockspec_format = "3.0"
package = "raia"
version = "scm-1"
source = { url = "git+https://github.com/raia-lua/raia.git" }
description = {
  summary = "A client for the conversations API of the raia platform",
  detailed = [[
Talks to AI agents on the raia platform: starts conversations by email, SMS, voice or API, sends
messages and waits for the agent's answers, reads histories and deletes them. Written in C on
libcurl (7.87 or later) and lua-cjson. A local raia for development, raia-sandbox, comes with it; it needs the
rocks http and argparse.]],
  license = "MIT",
}
dependencies = { "lua ~> 5.4", "lua-cjson" }
external_dependencies = { CURL = { library = "curl" } }
build = {
  type = "builtin",
  modules = {
    ["raia.core"] = {
      sources = {
        "src/base_url.c",
        "src/buffer.c",
        "src/call.c",
        "src/client.c",
        "src/collector.c",
        "src/conversation.c",
        "src/delivery.c",
        "src/ear.c",
        "src/engine.c",
        "src/error.c",
        "src/events.c",
        "src/events_epoll.c",
        "src/events_kqueue.c",
        "src/events_poll.c",
        "src/headers.c",
        "src/hide.c",
        "src/json.c",
        "src/lane.c",
        "src/log.c",
        "src/message.c",
        "src/module.c",
        "src/news.c",
        "src/operations.c",
        "src/options.c",
        "src/origin.c",
        "src/path.c",
        "src/pool.c",
        "src/process.c",
        "src/proxy.c",
        "src/reply.c",
        "src/request.c",
        "src/retry.c",
        "src/scheduler.c",
        "src/schema.c",
        "src/secrets.c",
        "src/sockets.c",
        "src/timer.c",
        "src/tls.c",
        "src/transfer.c",
      },
      defines = { "_GNU_SOURCE" },
      libraries = { "curl", "m", "pthread" },
      incdirs = { "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
    },
    ["raia.lazy"] = "src/lazy.c",
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
    ["raia.task"] = "lua/raia/task.lua",
  },
  install = { bin = { ["raia-sandbox"] = "lua/raia/sandbox/main.lua" } },
}
