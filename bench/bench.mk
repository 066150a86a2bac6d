# What raia costs beside others, and the guard on it in `make check`.
BENCH_PACKAGES = $(RUN_PACKAGES) lua-socket nginx-light openssl strace valgrind gnuplot-nox
BENCH = $(BUILD)/bench
BENCH_PROGRAMS = $(addprefix $(BENCH)/,delay measure raw raw_cjson)
RUN_BENCH = $(HERE) BENCH_BUILD=$(BENCH) bench/servers.sh $(BENCH) $(LUA)
ROUNDS = 5
bench:
	$(call install_missing,$(BENCH_PACKAGES))
	@$(MAKE) -s all $(BENCH_PROGRAMS)
	@$(RUN_BENCH) bench/main.lua --rounds $(ROUNDS) $(SECTION)

guard:
	@$(MAKE) -s all $(BENCH_PROGRAMS)
	@$(RUN_BENCH) bench/guard.lua

$(BENCH)/delay: bench/delay.c
$(BENCH)/measure: bench/measure.c
$(BENCH)/raw $(BENCH)/raw_cjson: bench/entrants/raw.c
$(BENCH)/raw: LDLIBS = $(LIBS)
$(BENCH)/raw_cjson: CFLAGS += -DCJSON
$(BENCH)/raw_cjson: LDLIBS = $(LIBS) $$(pkg-config --libs lua5.4)
$(BENCH_PROGRAMS): Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(FLAGS) -o $@ $(filter %.c,$^) $(LDLIBS)

.PHONY: bench guard
