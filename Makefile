# raia: `make demo` and `make test` do all that is needed on a Debian machine.
LUA       = lua5.4
CC        = cc
CFLAGS    = -O2 -g
WARNINGS  = -std=c99 -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
            -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wno-c11-extensions # of glibc 2.43's strchr, to clang
PREFIX    = /usr/local
BUILD     = build
DEFINES   = -D_GNU_SOURCE -D_DARWIN_C_SOURCE

SOURCES   = $(wildcard src/*/*.c)
OBJECTS   = $(SOURCES:src/%.c=$(BUILD)/%.o)
CORE      = $(BUILD)/raia/core.so
LUA_FILES = $(wildcard lua/raia/*.lua lua/raia/*/*.lua)

# Calls within the module, and out of it, go straight: 3 % of a send.
DIRECTLY  = -fvisibility=hidden $$(test $$(uname) = Darwin || echo -fno-plt)
# src/net is compiled without Lua's headers: the compiler keeps it from using Lua.
NET_FLAGS = $$(pkg-config --cflags libcurl) $(DEFINES) $(WARNINGS)
LUA_FLAGS = $$(pkg-config --cflags lua5.4) -Isrc $(DEFINES) $(WARNINGS)
FLAGS     = $$(pkg-config --cflags lua5.4 libcurl) -Isrc $(DEFINES) $(WARNINGS)
LIBS      = $$(pkg-config --libs libcurl) -lm -lpthread
SHARED    = $$(test $$(uname) = Darwin && \
            echo -bundle -undefined dynamic_lookup || echo -shared)

RUN_PACKAGES   = gcc libc6-dev pkg-config lua5.4 liblua5.4-dev \
                 libcurl4-openssl-dev lua-cjson lua-http lua-argparse
TEST_PACKAGES  = $(RUN_PACKAGES) lua-busted lua-socket lua-luv luarocks openssl \
                 libssl-dev procps nginx-light
CHECK_PACKAGES = $(TEST_PACKAGES) clang clang-format clang-tidy cppcheck \
                 lua-check valgrind

# The module as it was built here, found before one that is installed.
HERE = LUA_PATH_5_4="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;" \
       LUA_CPATH_5_4="$(CURDIR)/$(BUILD)/?.so;;"
BUSTED = $(LUA) -e 'require "busted.runner" {standalone = false}' /dev/null \
         -o spec/support/output.lua
SPECS  = spec
JOBS   = 5 # spec files side by side

# Runs the specs, by the command $(1) if there is one: one file, or with options of busted's, as
# busted does it; else each file in a process of its own.
ALONE  = $(or $(filter -%,$(SPECS)),$(if $(word 2,$(SPECS)),,$(filter %.lua,$(SPECS))))
run_specs = $(if $(ALONE),$(1) $(BUSTED),$(LUA) spec/support/side_by_side.lua $(JOBS) \
  build/durations $(1) $(BUSTED) --) $(SPECS)

# Installs those of the Debian packages $(1) that are missing, if any.
install_missing = @command -v apt-get >/dev/null || exit 0; \
  missing=$$(for p in $(1); do \
    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' \
      || echo $$p; done); \
  test -z "$$missing" && exit 0; \
  echo "Installing what is missing:" $$missing; \
  test $$(id -u) = 0 && sudo= || sudo=sudo; \
  $$sudo apt-get -qq update && \
  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    --no-install-recommends $$missing >/dev/null

all: $(CORE)

help:
	@echo "make           build the module into $(BUILD)/"
	@echo "make demo      hold a conversation with a local raia, or with the real one"
	@echo "               when RAIA_AGENT_SECRET_KEY is set"
	@echo "make test      run the specs, JOBS=5 files side by side (SPECS=spec/one_spec.lua for one)"
	@echo "make check     compiler warnings, linters and formatting"
	@echo "make asan      the specs under AddressSanitizer and UBSan"
	@echo "make memory    every call with every allocation of it failing, in turn"
	@echo "make valgrind  the specs under valgrind"
	@echo "make kqueue    the specs of waiting with the kqueue of macOS and the BSDs"
	@echo "make tsan      the specs of threads and forks under ThreadSanitizer"
	@echo "make fuzz      the fuzz targets of spec/fuzz for SECONDS=$(SECONDS) each (FUZZ=path for one)"
	@echo "make bench     measure beside raw libcurl and peers (SECTION=send ROUNDS=1 for a look)"
	@echo "make json_suite  the published test cases of JSON, from npm"
	@echo "make hunt      random programs of tasks, by the million, and 10,000 answers at their deadline"
	@echo "make soak      some minutes of calls and faults: memory and descriptors stay flat"
	@echo "               (SOAK=\"CALLS CLIENTS ROWS SEED\")"
	@echo "make interop   every call through nginx, HAProxy, Apache, h2o, Caddy, nghttp2 and Node"
	@echo "               (SERVERS=\"nginx h2o\" for some)"
	@echo "make distro    make demo and make test in a minimal Debian: SUITE=bookworm, trixie or sid (root)"
	@echo "make install   PREFIX=$(PREFIX) DESTDIR=; make uninstall undoes it"
	@echo "make clean     remove what was built"

demo:
	$(call install_missing,$(RUN_PACKAGES))
	@$(MAKE) -s all
	@if test -n "$$RAIA_AGENT_SECRET_KEY"; then \
	  echo "RAIA_AGENT_SECRET_KEY is set: talking to the real service." && \
	  $(HERE) $(LUA) examples/quickstart.lua; \
	else \
	  echo "Talking to a local raia (set RAIA_AGENT_SECRET_KEY for the real one)." && \
	  $(HERE) $(LUA) lua/raia/sandbox/main.lua -- $(LUA) examples/quickstart.lua; \
	fi

test:
	$(call install_missing,$(TEST_PACKAGES))
	@$(MAKE) -s all replays
	@exec env $(HERE) $(call run_specs)

check:
	$(call install_missing,$(CHECK_PACKAGES))
	@for cc in gcc clang; do echo "$$cc -Werror" && \
	  $(MAKE) -s -B BUILD=$(BUILD)/$$cc CC=$$cc CFLAGS="-O2 -Werror" all || exit 1; done
	clang-format --dry-run -Werror src/*/*.[ch] spec/fuzz/*.[ch] bench/*.c bench/entrants/*.c
	clang-tidy --quiet src/*/*.c -- $(FLAGS) 2>/dev/null
	clang-tidy --quiet src/net/events_kqueue.c -- $(FLAGS) -DRAIA_KQUEUE -Ispec/c/kqueue 2>/dev/null
	cppcheck --quiet --error-exitcode=1 --std=c99 --enable=warning,style,performance,portability \
	  --inline-suppr --suppress=normalCheckLevelMaxBranches --suppress=constParameterCallback \
	  -D__linux__ src
	luacheck --quiet lua spec examples bench
	$(LUA) spec/support/floors.lua
	@$(MAKE) -s types
	@$(MAKE) -s test SPECS=spec/meta_spec.lua
	@$(MAKE) -s guard

include spec/longer.mk bench/bench.mk

LUA_DIR = $(DESTDIR)$(PREFIX)/share/lua/5.4
C_DIR   = $(DESTDIR)$(PREFIX)/lib/lua/5.4
BIN_DIR = $(DESTDIR)$(PREFIX)/bin
install: all
	for f in $(LUA_FILES:lua/%=%); do install -D -m 644 lua/$$f $(LUA_DIR)/$$f || exit 1; done
	install -D -m 755 $(CORE) $(C_DIR)/raia/core.so
	install -D -m 755 lua/raia/sandbox/main.lua $(BIN_DIR)/raia-sandbox

uninstall:
	rm -rf $(LUA_DIR)/raia $(C_DIR)/raia $(BIN_DIR)/raia-sandbox

clean:
	rm -rf build

$(CORE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(SHARED) -o $@ $(OBJECTS) $(LIBS)

$(BUILD)/net/%.o: src/net/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(NET_FLAGS) $(DIRECTLY) -fPIC -MMD -MP -c -o $@ $<

$(BUILD)/lua/%.o: src/lua/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LUA_FLAGS) $(DIRECTLY) -fPIC -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)
.PHONY: all help demo test check install uninstall clean
